/** Modules: loaded, tried, replaced and taken back by hand. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { type Behaviour, changing } from "./harness/changing";
import { drop } from "./harness/drop";
import { call, Server } from "./harness/server";
import { test as base } from "./harness/visit";
import { until } from "./harness/wait";

/** A server of their own: a module that traps is a warning on the page of others. */
let server: Server;
let url: string;

const test = base.extend<{ opened: () => Promise<Page> }>({
  opened: ({ visit }, use) => use(() => visit({ server: server.address, page: "modules", expected })),
});

/** A refusal is an error of the network in the browser's eyes. */
const expected = /status of 409/;
const dialog = (page: Page) => page.getByRole("dialog");

/** Drops a version of the module, and chooses what to do with it. */
async function dropped(page: Page, label: string, action: string, behaviour: Behaviour = {}) {
  await drop(page, ".drop-zone", [{ name: "changing.wasm", bytes: changing(label, behaviour) }]);
  await dialog(page).waitFor();
  expect(await dialog(page).getByLabel("Name").inputValue()).toBe("changing");
  await choose(page, action);
}

async function choose(page: Page, action: string) {
  await dialog(page).getByRole("radio", { name: action, exact: true }).check();
}

/** Takes a version live without probation, so that another can be tried at once. */
async function swapped(page: Page, label: string, behaviour: Behaviour = {}) {
  await dropped(page, label, "Swap", behaviour);
  await dialog(page).getByText("Probation and limits").click();
  await dialog(page).getByLabel("Probation, seconds").fill("0");
  await dialog(page).getByRole("button", { name: "Swap in" }).click();
  await dialog(page)
    .getByText(/^Generation \d+ is live$/)
    .waitFor();
  await dialog(page).getByRole("button", { name: "Close" }).last().click();
  await dialog(page).waitFor({ state: "detached" });
}

/** Starts a trial, and opens its view. */
async function onTrial(page: Page, label: string, action: "Shadow" | "Canary", behaviour: Behaviour = {}) {
  await dropped(page, label, action, behaviour);
  await dialog(page)
    .getByRole("button", { name: `Start the ${action.toLowerCase()}` })
    .click();
  await dialog(page).getByRole("link", { name: "Watch it" }).click();
  await page.getByRole("tab", { name: "On trial", selected: true }).waitFor();
}

/** Answers the question of the page. */
async function agree(page: Page, action: string) {
  await dialog(page).getByRole("button", { name: action }).click();
  await dialog(page).waitFor({ state: "detached" });
}

describe("the page Modules", () => {
  beforeAll(async () => {
    server = await Server.start();
    url = server.url;
  });

  afterAll(() => server?.remove());

  test("a dropped module is checked, swapped in, replaced and rolled back", async ({ opened }) => {
    const page = await opened();
    await dropped(page, "a", "Check");
    await dialog(page).getByRole("button", { name: "Check" }).click();
    await dialog(page).getByText("The check passed").waitFor();
    expect(await dialog(page).getByRole("listitem").count()).toBeGreaterThanOrEqual(5);
    await expect(call(url, "tests/label")).rejects.toThrow();

    await dialog(page).getByRole("button", { name: "Swap in" }).click();
    await dialog(page)
      .getByText(/^Generation \d+ is live$/)
      .waitFor();
    await page.keyboard.press("Escape");
    await dialog(page).waitFor({ state: "detached" });
    expect(await call(url, "tests/label")).toBe("a");
    const row = page.getByRole("row", { name: /changing/ });
    await row.getByText(/Probation/).waitFor();

    await swapped(page, "b");
    expect(await call(url, "tests/label")).toBe("b");
    await page.getByRole("tab", { name: "History" }).click();
    await page.getByText("Live now").waitFor();
    const entries = page.getByRole("list", { name: "History of the live set" }).getByRole("listitem");
    const before = entries.filter({ has: page.getByRole("button") }).first();
    await before.getByRole("button", { name: /Roll back to this/ }).click();
    expect(await dialog(page).textContent()).toMatch(/changing [0-9a-f]{8} → [0-9a-f]{8}/);
    await agree(page, "Roll back to this");
    await until("the version before", async () => (await call(url, "tests/label")) === "a");
    await page.getByText("Rollback", { exact: true }).waitFor();
  });

  test("a canary answers a share of the calls, is given more of them, and is promoted", async ({ opened }) => {
    const page = await opened();
    await swapped(page, "c");
    await onTrial(page, "d", "Canary");
    const slider = page.getByRole("slider", { name: "Share of the calls" });
    expect(await slider.getAttribute("aria-valuetext")).toBe("5%");
    await slider.focus();
    await page.keyboard.press("End");
    await page.getByRole("button", { name: "Change the share" }).click();
    await page.getByText("Canary 100%").waitFor();
    await until("an answer of the canary", async () => (await call(url, "tests/label")) === "d");
    await page.getByRole("button", { name: "Promote" }).click();
    await agree(page, "Promote");
    await page.getByText("changing: the new version is live.").waitFor();
    expect(await call(url, "tests/label")).toBe("d");
  });

  test("a canary that does worse is taken back, and the page shows both answers", async ({ opened }) => {
    const page = await opened();
    await swapped(page, "e");
    await onTrial(page, "f", "Canary", { work: "fails" });
    await page.getByRole("slider", { name: "Share of the calls" }).focus();
    await page.keyboard.press("End");
    await page.getByRole("button", { name: "Change the share" }).click();
    await page.getByText("Canary 100%").waitFor();
    await call(url, "tests/work", { key: "one" }).catch(() => undefined);
    const worse = page.locator(".regressions li").first();
    await worse.getByText(/777/).waitFor();
    for (let n = 0; n < 5; n++) await call(url, "tests/work", { key: "one" }).catch(() => undefined);
    await page.getByRole("tab", { name: "History" }).click();
    await page.getByText("Trial ended").first().waitFor();
    expect(await call(url, "tests/label")).toBe("e");
  });

  test("a shadow shows the calls that differ, side by side", async ({ opened }) => {
    const page = await opened();
    await swapped(page, "g");
    await onTrial(page, "g", "Shadow", { work: "roundsDown" });
    await page.getByText("No call yet.").waitFor();
    expect(await call(url, "tests/percent", { part: 2, whole: 3 })).toBe("66.67");
    const sides = page.getByRole("region", { name: "Live | Shadow" });
    await sides.waitFor();
    expect(await sides.locator("td.differs").allTextContents()).toEqual([
      expect.stringContaining('"66.67"'),
      expect.stringContaining('"66.66"'),
    ]);
    await page.getByRole("button", { name: "Abort" }).click();
    await agree(page, "Abort");
    await page.getByText("changing: the trial has ended.").waitFor();
    await page.getByRole("tab", { name: "On trial" }).waitFor({ state: "detached" });
  });

  test("a refused module says why, and is forced only if the server allows it", async ({ opened }) => {
    const page = await opened();
    await swapped(page, "h");
    await dropped(page, "i", "Swap", { selfTest: false });
    await dialog(page).getByRole("button", { name: "Swap in" }).click();
    await dialog(page).getByText("failed, can be forced").waitFor();
    expect(await call(url, "tests/label")).toBe("h");
    await dialog(page).getByRole("button", { name: "Do it anyway" }).click();
    await dialog(page)
      .getByText(/^Generation \d+ is live$/)
      .waitFor();
    expect(await call(url, "tests/label")).toBe("i");
    await page.keyboard.press("Escape");

    await drop(page, ".drop-zone", [{ name: "changing.wasm", bytes: Buffer.from("no module at all") }]);
    await choose(page, "Swap");
    await dialog(page).getByRole("button", { name: "Swap in" }).click();
    await dialog(page).getByText("failed", { exact: true }).waitFor();
    expect(await dialog(page).getByRole("button", { name: "Do it anyway" }).count()).toBe(0);
    expect(await call(url, "tests/label")).toBe("i");
  });

  test("names and kinds of files are checked before anything is sent", async ({ opened }) => {
    const page = await opened();
    await drop(page, ".drop-zone", [
      { name: "changing.wasm", bytes: changing("j") },
      { name: "notes.txt", bytes: Buffer.from("notes") },
    ]);
    await dialog(page).getByText("notes.txt is not a WebAssembly file", { exact: false }).waitFor();
    expect(await dialog(page).getByRole("button", { name: "Check" }).isDisabled()).toBe(true);
    await page.keyboard.press("Escape");
    await drop(page, ".drop-zone", [{ name: "two words.wasm", bytes: changing("j") }]);
    await dialog(page).getByRole("alert").getByText("1 to 64 letters", { exact: false }).waitFor();
    expect(await dialog(page).getByRole("button", { name: "Check" }).isDisabled()).toBe(true);
    await dialog(page).getByLabel("Name").fill("two-words");
    expect(await dialog(page).getByRole("button", { name: "Check" }).isEnabled()).toBe(true);
  });

  test("several modules go live together, and are unloaded", async ({ opened }) => {
    const page = await opened();
    await drop(page, ".drop-zone", [
      { name: "changing.wasm", bytes: changing("k") },
      { name: "pair.wasm", bytes: changing("l") },
    ]);
    await choose(page, "Swap");
    expect(await dialog(page).getByRole("radio", { name: "Canary" }).count()).toBe(0);
    await dialog(page).getByRole("button", { name: "Swap in" }).click();
    await dialog(page)
      .getByText(/^Generation \d+ is live$/)
      .waitFor();
    await page.keyboard.press("Escape");
    // A later module answers the methods that both have.
    expect(await call(url, "tests/label")).toBe("l");
    await page.getByRole("link", { name: "pair", exact: true }).click();
    await page.getByRole("button", { name: "More actions" }).click();
    await page.getByRole("menuitem", { name: "Unload" }).click();
    await agree(page, "Unload");
    await page.getByText("No module pair is live").waitFor();
    expect(await call(url, "tests/label")).toBe("k");
  });

  test("the log of a module follows, can be paused, and shows what went wrong", async ({ opened }) => {
    const page = await opened();
    await swapped(page, "m", { work: "traps" });
    await page.getByRole("link", { name: "changing", exact: true }).click();
    await page.getByRole("tab", { name: "Log" }).click();
    const log = page.getByRole("log");
    await log.waitFor();
    const before = await log.locator('[data-level="error"], [data-level="warn"]').count();
    await page.getByRole("button", { name: "Pause" }).click();
    await call(url, "tests/work", { key: "one" }).catch(() => undefined);
    await page.getByRole("button", { name: "Follow" }).click();
    await until("the trap", async () => {
      return (await log.locator('[data-level="error"], [data-level="warn"]').count()) > before;
    });
    await page.getByText("Warnings and worse").click();
    await log.locator('[data-level="info"]').first().waitFor({ state: "detached" });
  });
});
