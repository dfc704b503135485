import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectGood } from "../harness/outcome.js";
import { PageServer } from "../harness/page_server.js";
import { Program } from "../harness/program.js";
import { needed } from "../harness/tools.js";
import type { Page as Client } from "./page.js";

declare const client: Client;

const CHROMIUM = needed("chromium", "the client in a browser");

/** No request leaves the machine. */
const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--no-proxy-server",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
];

describe.skipIf(CHROMIUM === undefined)("in a page of Chromium, the client", () => {
  let pages: PageServer;
  let program: Program;
  let browser: Browser;
  let context: BrowserContext;

  beforeAll(async () => {
    pages = await PageServer.start(fileURLToPath(new URL("page.ts", import.meta.url)));
    program = await Program.start("--allow-origin", pages.origin);
    browser = await chromium.launch({ executablePath: CHROMIUM ?? "", args: QUIET });
    // The pages share what they keep, as those of a person do.
    context = await browser.newContext();
  });

  afterAll(async () => {
    await browser?.close();
    await program?.[Symbol.asyncDispose]();
    await pages?.[Symbol.asyncDispose]();
  });

  /** A page with the client, of the allowed origin or another one. */
  async function opened(origin = pages.origin): Promise<Page> {
    const page = await context.newPage();
    await page.goto(origin);
    await page.waitForFunction(() => "client" in globalThis);
    return page;
  }

  /** A browser tells the progress of an upload every 50 ms. On loopback all bytes are gone by then. */
  async function slowDown(page: Page): Promise<void> {
    const session = await context.newCDPSession(page);
    const unlimited = { offline: false, latency: 0, downloadThroughput: -1 };
    await session.send("Network.emulateNetworkConditions", { ...unlimited, uploadThroughput: 8_000_000 });
  }

  test("makes a folder, sends files, follows them and reads them back", async () => {
    const page = await opened();
    await slowDown(page);
    expectGood(await page.evaluate((url) => client.scenario(url), program.url));
  });

  test("sends its token with requests and with the websocket", async () => {
    const guarded = await Program.start("--allow-origin", pages.origin, "--token", "open-sesame");
    try {
      const page = await opened();
      await slowDown(page);
      expectGood(await page.evaluate((url) => client.scenario(url, "open-sesame"), guarded.url));
      expect(await page.evaluate((url) => client.failing(url), guarded.url)).toBe("StowageError");
    } finally {
      await guarded[Symbol.asyncDispose]();
    }
  });

  test("continues an upload that was cut off when the page was closed", async () => {
    const before = await opened();
    expect(await before.evaluate((url) => client.interrupted(url), program.url)).toBe("the page is closed");
    await before.close();
    const after = await opened();
    const { progress, isSame } = await after.evaluate((url) => client.continued(url), program.url);
    expect(progress[0]?.loaded).toBeGreaterThan(0);
    expect(isSame).toBe(true);
    expect(await after.evaluate(() => localStorage.length)).toBe(0);
  });

  test("sends a stream", async () => {
    const page = await opened();
    expect(await page.evaluate((url) => client.streamed(url), program.url)).toMatch(/^[1-9A-Za-z]{40,}$/);
  });

  test("gets the error of fetch, if its origin is not allowed", async () => {
    const page = await opened(pages.origin.replace("127.0.0.1", "localhost"));
    expect(await page.evaluate((url) => client.failing(url), program.url)).toBe("TypeError");
  });
});
