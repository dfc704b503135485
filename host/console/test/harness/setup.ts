/** One server and one browser for all tests. */
import { chromium } from "playwright-core";
import type { TestProject } from "vitest/node";
import { type Address, Server } from "./server";
import { installed } from "./tools";

declare module "vitest" {
  interface ProvidedContext {
    server: Address;
    /** The address of the browser for Playwright. */
    browser: string;
  }
}

/** The browser itself asks nobody for anything. */
const quiet = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--no-proxy-server",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
  // Texts have the same form in each screenshot.
  "--font-render-hinting=none",
];

export default async function setup(project: TestProject) {
  const [server, browser] = await Promise.all([
    Server.start(),
    chromium.launchServer({ executablePath: installed("chromium"), args: quiet }),
  ]);
  project.provide("server", server.address);
  project.provide("browser", browser.wsEndpoint());
  return async () => {
    await browser.close();
    await server.remove();
  };
}
