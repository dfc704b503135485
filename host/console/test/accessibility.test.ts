/** Axe, the checker of accessibility, finds nothing serious on any page. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults, RunOptions } from "axe-core";
import type { Page } from "playwright-core";
import { describe, expect } from "vitest";
import { changing } from "./harness/changing";
import { drop } from "./harness/drop";
import { goTo, type PageName, test } from "./harness/visit";

const source = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const pages: PageName[] = ["overview", "files", "transfers", "modules", "api"];

declare const axe: { run(options: RunOptions): Promise<AxeResults> };

/** What is serious or critical, with the elements. */
async function seriousFaults(page: Page): Promise<string[]> {
  // Sent by the debugger, so the policy of the page stays as it is.
  await page.evaluate(source);
  const { violations } = await page.evaluate(() => axe.run({ resultTypes: ["violations"] }));
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
}

describe("for people with disabilities", () => {
  for (const scheme of ["light", "dark"] as const) {
    test(`no page has a serious fault in ${scheme}`, async ({ visit }) => {
      const page = await visit({ scheme, still: true });
      for (const name of pages) {
        await goTo(page, name);
        expect(await seriousFaults(page), name).toEqual([]);
      }
    });

    test(`neither has a folder, a preview or a method, in ${scheme}`, async ({ visit }) => {
      const page = await visit({ scheme, page: "files", still: true });
      await page.getByRole("button", { name: "我的收藏", exact: true }).click();
      await page
        .locator(".grid-row", { has: page.locator("img") })
        .first()
        .click();
      await page.locator("img.shown").waitFor();
      expect(await seriousFaults(page), "preview").toEqual([]);
      await goTo(page, "api");
      await page.getByRole("link", { name: /getImFavoriteList/ }).click();
      await page.getByRole("button", { name: "Send" }).click();
      await page.getByRole("region", { name: "Answer" }).first().waitFor();
      expect(await seriousFaults(page), "method").toEqual([]);
    });

    test(`neither has a dialog, the log or the way in, in ${scheme}`, async ({ visit }) => {
      const page = await visit({ scheme, page: "modules", still: true });
      await drop(page, ".drop-zone", [{ name: "changing.wasm", bytes: changing("x") }]);
      await page.getByRole("dialog").getByRole("radio", { name: "Canary" }).check();
      expect(await seriousFaults(page), "dialog").toEqual([]);
      await page.keyboard.press("Escape");
      await page.getByRole("link", { name: "favorites", exact: true }).click();
      await page.getByRole("tab", { name: "Version" }).waitFor();
      expect(await seriousFaults(page), "module").toEqual([]);
      await page.getByRole("tab", { name: "Log" }).click();
      await page.getByRole("log").waitFor();
      expect(await seriousFaults(page), "log").toEqual([]);
      const door = await visit({ scheme, link: null });
      await door.getByRole("heading", { level: 1 }).waitFor();
      expect(await seriousFaults(door), "door").toEqual([]);
    });
  }

  test("a fault would be found", async ({ visit }) => {
    const page = await visit({ page: "modules" });
    await page.evaluate(() => document.querySelector("main")?.append(document.createElement("button")));
    expect(await seriousFaults(page)).toEqual([expect.stringMatching(/^button-name: /)]);
  });
});
