/** The pictures of docs/img. They are written with STOWAGE_SCREENSHOTS=1 only. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { drop } from "./harness/drop";
import { call, Server } from "./harness/server";
import { builtModule, root } from "./harness/tools";
import { goTo, test } from "./harness/visit";

const written = process.env["STOWAGE_SCREENSHOTS"] === "1";
/** The most bytes of a picture. */
const mostBytes = 150_000;
/** How long clients call before the first picture, in milliseconds: the plots show it. */
const day = written ? 100_000 : 2000;

async function picture(page: Page, name: string) {
  // The pointer lights up what it is on.
  await page.mouse.move(0, 0);
  const bytes = await page.screenshot({ animations: "disabled", caret: "hide" });
  expect(bytes.length, name).toBeLessThan(mostBytes);
  if (!written) return;
  const directory = join(root, "docs/img");
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, `console-${name}.png`), bytes);
}

/** Calls as several clients do, now more and now less. */
async function clients(url: string, length: number) {
  const end = performance.now() + length;
  for (let n = 0; performance.now() < end; n++) {
    const busy = 4 + Math.round(3 * Math.sin(n / 40));
    const one = () =>
      Promise.all([
        call(url, "getStorageSpaceInfo"),
        call(url, "getImFavoriteFolders", { page: 1, pageSize: 10 }),
        call(url, "getImFavoriteList", { favId: "1", type: 0, page: 1, pageSize: 10 + (n % 20) }),
      ]);
    await Promise.all(Array.from({ length: busy }, one));
    if (n % 300 === 299) await call(url, "deleteImFavoriteFolder", { id: "none" }).catch(() => undefined);
  }
}

/** The same module as another version: a section of bytes that nobody reads is added. */
function newVersion(name: string): Buffer {
  const note = Buffer.from("\x04notenext", "latin1");
  return Buffer.concat([builtModule(name, "modules"), Buffer.from([0, note.length]), note]);
}

describe("pictures", () => {
  let server: Server;

  /** A server in the middle of its day: files on their way, and a version that is tried out. */
  beforeAll(async () => {
    server = await Server.start();
    const { url } = server;
    await clients(url, day);
    await call(url, "transferApi/setLimits", { uploadBytesPerSecond: 900_000 });
    const sent = { "Trip to the lake.mp4": 96, "Invoice 2026-11.pdf": 24, "Holiday pictures.zip": 48 };
    for (const [name, megabytes] of Object.entries(sent)) {
      const query = new URLSearchParams({ platform: "3", name });
      const answer = await fetch(`${url}/files?${query}`, { method: "PUT", body: new Uint8Array(megabytes << 20) });
      expect(answer.status).toBe(200);
    }
  }, day + 60_000);

  afterAll(() => server?.remove());

  test("each page in English, light", async ({ visit }) => {
    const page = await visit({ server: server.address, still: true });
    await page
      .getByText(/[KM]B\/s/)
      .first()
      .waitFor();
    await picture(page, "overview");

    await goTo(page, "files");
    await page.getByRole("button", { name: "我的收藏", exact: true }).click();
    await page
      .locator(".grid-row", { has: page.locator("img") })
      .first()
      .click();
    await page.locator("img.shown").waitFor();
    await page.waitForLoadState("networkidle");
    await picture(page, "files");

    await goTo(page, "transfers");
    await page
      .getByRole("row")
      .getByText(/[KM]B\/s/)
      .first()
      .waitFor();
    await picture(page, "transfers");

    await goTo(page, "api");
    await page.getByRole("searchbox").fill("favorite");
    await page.getByRole("link", { name: /getImFavoriteFolders/ }).click();
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByRole("region", { name: "Answer" }).first().getByText("Code 200").waitFor();
    await picture(page, "api");

    await goTo(page, "modules");
    await drop(page, ".drop-zone", [{ name: "favorites.wasm", bytes: newVersion("favorites") }]);
    await page.getByRole("dialog").getByRole("radio", { name: "Canary" }).check();
    await page.getByRole("dialog").getByRole("button", { name: "Start the canary" }).click();
    await page.getByText("favorites runs as a canary").waitFor();
    await page.keyboard.press("Escape");
    await clients(server.url, 500);
    await page.getByText("Canary 5%").waitFor();
    await picture(page, "modules");
  });

  test("the overview in Chinese, dark", async ({ visit }) => {
    const locale = "zh-CN";
    const page = await visit({ server: server.address, scheme: "dark", locale, still: true, page: "overview" });
    await page
      .getByText(/[KM]B\/s/)
      .first()
      .waitFor();
    await picture(page, "overview-zh-dark");
  });

  test("the files on a phone", async ({ visit }) => {
    const page = await visit({ server: server.address, width: 390, height: 844, still: true, page: "files" });
    await page.getByRole("button", { name: "我的收藏", exact: true }).click();
    await page.locator(".grid-row img").first().waitFor();
    await page.waitForLoadState("networkidle");
    await picture(page, "files-phone");
  });
});
