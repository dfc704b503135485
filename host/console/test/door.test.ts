/** Who may in. */
import type { Page } from "playwright-core";
import { describe, expect, inject } from "vitest";
import { newLink } from "./harness/server";
import { test } from "./harness/visit";

const server = inject("server");
/** A refused secret is an error of the network in the browser's eyes. */
const refused = /status of 401/;

const howToGetIn = (page: Page) => page.getByRole("heading", { name: "The console needs a key" });

describe("the door", () => {
  test("a link opens the console, and its secret is gone from the address and the history", async ({ visit }) => {
    const link = await newLink(server);
    const secret = new URL(link).hash.slice("#key=".length);
    expect(secret.length).toBeGreaterThanOrEqual(43);
    const page = await visit({ link });
    expect(page.url()).toBe(`${server.url}/#/overview`);
    await page.goBack();
    expect(page.url()).not.toContain(secret);
    await page.goForward();
    await page.getByRole("navigation").waitFor();
    expect(page.url()).not.toContain(secret);
  });

  test("a reload keeps the session, another tab does not have it", async ({ visit }) => {
    const page = await visit();
    await page.reload();
    await page.getByRole("navigation").waitFor();
    const other = await page.context().newPage();
    await other.goto(server.url);
    await howToGetIn(other).waitFor();
  });

  test("without a key the page says how to get in, and nothing else", async ({ visit }) => {
    const page = await visit({ link: null });
    const asked: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    await page.reload();
    await howToGetIn(page).waitFor();
    expect(await page.getByText("stowage console", { exact: true }).count()).toBe(1);
    expect(await page.getByRole("navigation").count()).toBe(0);
    await page.goto(`${server.url}/#/files`);
    await page.reload();
    await howToGetIn(page).waitFor();
    const foreign = asked.filter((path) => path !== "/" && !path.startsWith("/console/"));
    expect(foreign).toEqual([]);
  });

  test("a link works once, and a new one opens the same tab", async ({ visit }) => {
    const link = await newLink(server);
    await visit({ link });
    const page = await visit({ link: null, expected: refused });
    await page.goto(link);
    await howToGetIn(page).waitFor();
    expect(await page.getByRole("alert").textContent()).toContain("used already");
    await page.goto(await newLink(server));
    await page.getByRole("navigation").waitFor();
  });

  test("signing out forgets the session", async ({ visit }) => {
    const page = await visit();
    await page.getByRole("button", { name: "Sign out of this tab" }).click();
    await howToGetIn(page).waitFor();
    await page.reload();
    await howToGetIn(page).waitFor();
  });

  test("a session that the server refuses ends at the next request", async ({ visit }) => {
    const page = await visit({ expected: refused });
    await page.evaluate(() => {
      sessionStorage.setItem(
        "stowage.session",
        JSON.stringify({ token: "not-a-token", until: Date.now() + 6 * 86_400_000 }),
      );
    });
    await page.goto(`${server.url}/#/modules`);
    await page.reload();
    await howToGetIn(page).waitFor();
    expect(await page.getByRole("alert").textContent()).toContain("The session has ended");
  });
});
