/** Files: dropped, seen on their way, downloaded, moved and deleted. */
import { randomBytes } from "node:crypto";
import type { Page } from "playwright-core";
import { describe, expect } from "vitest";
import { drop } from "./harness/drop";
import { test, type Visit } from "./harness/visit";
import { until } from "./harness/wait";

/** The list of a collection. */
async function section(visit: Visit, name: string): Promise<Page> {
  const page = await visit({ page: "files" });
  await page.getByRole("navigation", { name: "Collections" }).getByRole("link", { name }).click();
  await page.locator(".files").waitFor();
  return page;
}

const row = (page: Page, name: string) =>
  page.getByRole("row").filter({ has: page.getByRole("button", { name, exact: true }) });

/** Chooses what the menu of a row offers. */
async function fromMenu(page: Page, name: string, action: string) {
  await page.getByRole("button", { name: `More: ${name}` }).click();
  await page.getByRole("menuitem", { name: action, exact: true }).click();
}

/** Sends at most so many bytes a second, so that something is seen on its way. 0 is no limit. */
async function limitUploads(page: Page, bytesPerSecond: number) {
  const session = await page.context().newCDPSession(page);
  const limits = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: bytesPerSecond || -1 };
  await session.send("Network.enable");
  await session.send("Network.emulateNetworkConditions", limits);
}

/** Downloads a file, and returns its bytes. */
async function downloaded(page: Page, name: string): Promise<Buffer> {
  const [download] = await Promise.all([page.waitForEvent("download"), fromMenu(page, name, "Download")]);
  expect(download.suggestedFilename()).toBe(name);
  const parts: Buffer[] = [];
  for await (const part of await download.createReadStream()) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

describe("the page Files", () => {
  test("a dropped file is seen on its way, and comes back byte by byte", async ({ visit }) => {
    const page = await section(visit, "Storage");
    const bytes = randomBytes(6_000_000);
    await limitUploads(page, 4_000_000);
    await drop(page, ".files", [{ name: "Boat.bin", bytes }]);
    const progress = page.getByRole("progressbar", { name: "Progress of Boat.bin" });
    const seen = new Set<number>();
    await until("half of the file", async () => {
      const now = Number(await progress.getAttribute("aria-valuenow"));
      if (now > 0 && now < 100) seen.add(now);
      return now >= 50;
    });
    expect(seen.size).toBeGreaterThanOrEqual(2);
    await limitUploads(page, 0);
    await page.getByRole("region", { name: "This tab" }).getByText("Done", { exact: true }).waitFor();
    await row(page, "Boat.bin").waitFor();
    expect((await downloaded(page, "Boat.bin")).equals(bytes)).toBe(true);
  });

  test("a deleted file comes back by undo, and goes without it", async ({ visit }) => {
    const page = await section(visit, "Storage");
    await drop(page, ".files", [{ name: "Old notes.txt", bytes: Buffer.from("remember the milk") }]);
    await row(page, "Old notes.txt").waitFor();
    await fromMenu(page, "Old notes.txt", "Delete");
    await page.getByRole("button", { name: "Undo" }).click();
    await row(page, "Old notes.txt").waitFor();
    expect((await downloaded(page, "Old notes.txt")).toString()).toBe("remember the milk");
  });

  test("a search and a type show only what fits", async ({ visit }) => {
    const page = await section(visit, "Storage");
    await drop(page, ".files", [
      { name: "Harbour.txt", bytes: Buffer.from("harbour") },
      { name: "Lighthouse.txt", bytes: Buffer.from("lighthouse") },
    ]);
    await row(page, "Lighthouse.txt").waitFor();
    await page.getByRole("searchbox").fill("harbour");
    await row(page, "Lighthouse.txt").waitFor({ state: "detached" });
    await row(page, "Harbour.txt").waitFor();
    await page.getByRole("searchbox").fill("no such file");
    await page.getByText("Nothing matches").waitFor();
  });

  test("a new folder takes a file that is moved into it", async ({ visit }) => {
    const page = await section(visit, "Storage");
    await page.getByRole("button", { name: "New folder" }).click();
    await page.getByRole("dialog").getByLabel("Name").fill("Lake");
    await page.getByRole("dialog").getByRole("button", { name: "Make the folder" }).click();
    await row(page, "Lake").waitFor();
    await drop(page, ".files", [{ name: "Shore.txt", bytes: Buffer.from("shore") }]);
    await row(page, "Shore.txt").waitFor();
    await fromMenu(page, "Shore.txt", "Move");
    await page.getByRole("dialog").getByText("Lake").click();
    await page.getByRole("dialog").getByRole("button", { name: "Move here" }).click();
    await row(page, "Shore.txt").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Lake", exact: true }).click();
    await row(page, "Shore.txt").waitFor();
  });
});
