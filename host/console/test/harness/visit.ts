/**
 * Visits of the console. Each test with them also checks that the pages stayed calm: no error in the
 * browser's console, no violation of the Content-Security-Policy, no request to another machine.
 */
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { test as base, expect, inject } from "vitest";
import { type Address, newLink } from "./server";
import { patience } from "./wait";

export type PageName = "overview" | "files" | "transfers" | "modules" | "api";

export interface VisitOptions {
  server?: Address;
  width?: number;
  height?: number;
  scheme?: "light" | "dark";
  locale?: "en-GB" | "zh-CN";
  /** The link to open. By default a new one. Null for the address alone. */
  link?: string | null;
  /** The page to go to. */
  page?: PageName;
  /** Messages of the browser's console that belong to the test. */
  expected?: RegExp;
  /** Calms animations for pictures. */
  still?: boolean;
}

export type Visit = (options?: VisitOptions) => Promise<Page>;

export const test = base.extend<{ visit: Visit }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest wants a pattern.
  visit: async ({}, use) => {
    const browser = await chromium.connect(inject("browser"));
    const faults: string[] = [];
    await use(async (options = {}) => {
      const { server = inject("server"), width = 1280, height = 800, scheme = "light", locale = "en-GB" } = options;
      const context = await browser.newContext({
        viewport: { width, height },
        colorScheme: scheme,
        locale,
        reducedMotion: options.still ? "reduce" : "no-preference",
      });
      context.setDefaultTimeout(patience);
      watch(context, new URL(server.url).host, options.expected, faults);
      const page = await context.newPage();
      const link = options.link === undefined ? await newLink(server) : options.link;
      await page.goto(link ?? server.url);
      if (link === null) return page;
      await page.getByRole("navigation").waitFor();
      if (options.page) await goTo(page, options.page);
      return page;
    });
    await browser.close();
    expect(faults).toEqual([]);
  },
});

/** Notes what a calm page does not do. */
export function watch(context: BrowserContext, host: string, expected: RegExp | undefined, faults: string[]) {
  const note = (fault: string) => {
    if (!expected?.test(fault)) faults.push(fault);
  };
  context.on("console", (message) => {
    const { url } = message.location();
    if (message.type() === "error") note(`${message.type()}: ${message.text()} ${url}`);
  });
  context.on("weberror", (error) => note(`exception: ${error.error().message}`));
  context.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "data:" && url.protocol !== "blob:" && url.host !== host) note(`request: ${request.url()}`);
  });
}

/** Follows the link of the sidebar, and waits until the page has loaded what it shows. */
export async function goTo(page: Page, name: PageName) {
  await page.locator(`.nav a[href="#/${name}"]`).click();
  await settled(page, name);
}

/** Waits until a page is there, without lines in the place of what is loaded. */
export async function settled(page: Page, name: PageName) {
  await page.waitForFunction(
    (wanted) =>
      document.querySelector('.nav [aria-current="page"]')?.getAttribute("href") === `#/${wanted}` &&
      document.querySelector("main .page") !== null &&
      document.querySelector("main .skeleton") === null,
    name,
  );
}
