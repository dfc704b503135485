/** The frame of all pages: languages, themes, widths, keys, and a server that goes and comes. */
import { describe, expect } from "vitest";
import { Server } from "./harness/server";
import { goTo, type PageName, settled, test } from "./harness/visit";
import { until } from "./harness/wait";

const pages: PageName[] = ["overview", "files", "transfers", "modules", "api"];

describe("the frame", () => {
  test("a request to another machine is noticed, and the policy stops it", async ({ visit }) => {
    const page = await visit({ expected: /Content Security Policy|other\.invalid/ });
    const outcome = await page.evaluate(() => fetch("http://other.invalid/").then(String, String));
    expect(outcome).toContain("TypeError");
    const inline = await page.evaluate(() => {
      const script = document.createElement("script");
      script.textContent = "globalThis.wasRun = true";
      document.head.append(script);
      return "wasRun" in globalThis;
    });
    expect(inline).toBe(false);
  });

  test("every page is calm, in both languages", async ({ visit }) => {
    for (const locale of ["en-GB", "zh-CN"] as const) {
      const page = await visit({ locale });
      for (const name of pages) {
        await goTo(page, name);
        expect(await page.getByText(/This could not be loaded|加载失败/).count(), name).toBe(0);
      }
    }
  });

  test("it speaks Chinese to a Chinese browser, and a choice of language is kept", async ({ visit }) => {
    const page = await visit({ locale: "zh-CN" });
    expect(await page.getByRole("heading", { level: 1 }).textContent()).toBe("概览");
    expect(await page.locator("html").getAttribute("lang")).toBe("zh-CN");
    await page.getByRole("button", { name: "语言" }).click();
    await page.getByRole("menuitemradio", { name: "English" }).click();
    expect(await page.getByRole("heading", { level: 1 }).textContent()).toBe("Overview");
    await page.reload();
    await page.getByRole("navigation").waitFor();
    expect(await page.locator("html").getAttribute("lang")).toBe("en");
  });

  test("it is dark in a dark system, and a choice of appearance is kept", async ({ visit }) => {
    const page = await visit({ scheme: "dark" });
    const brightness = () =>
      page.evaluate(() => {
        const [red = 0, green = 0, blue = 0] = (
          getComputedStyle(document.body).backgroundColor.match(/\d+/g) ?? []
        ).map(Number);
        return (red + green + blue) / 3;
      });
    expect(await brightness()).toBeLessThan(60);
    await page.getByRole("button", { name: "Appearance" }).click();
    await page.getByRole("menuitemradio", { name: "Light", exact: true }).click();
    expect(await brightness()).toBeGreaterThan(200);
    await page.reload();
    await page.getByRole("navigation").waitFor();
    expect(await brightness()).toBeGreaterThan(200);
  });

  test("a narrow window scrolls only up and down, and reaches every page", async ({ visit }) => {
    for (const locale of ["en-GB", "zh-CN"] as const) {
      const page = await visit({ width: 360, height: 740, locale });
      for (const name of pages) {
        await goTo(page, name);
        const wide = await page.evaluate(() => {
          const frame = document.documentElement;
          const main = document.querySelector("main") as HTMLElement;
          return [frame.scrollWidth - frame.clientWidth, main.scrollWidth - main.clientWidth];
        });
        expect(wide, `${name} in ${locale}`).toEqual([0, 0]);
      }
    }
  });

  test("the keyboard alone skips to the content, changes pages and uses tabs and menus", async ({ visit }) => {
    const page = await visit();
    const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim());
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("Skip to the content");
    await page.keyboard.press("Enter");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("main");

    const modules = page.getByRole("navigation").getByRole("link", { name: "Modules" });
    await until("the link", async () => {
      await page.keyboard.press("Shift+Tab");
      return modules.evaluate((element) => element === document.activeElement);
    });
    await page.keyboard.press("Enter");
    await settled(page, "modules");
    await until("the heading has the focus", async () => (await focused()) === "Modules");

    await until("the tabs", async () => {
      await page.keyboard.press("Tab");
      return page.evaluate(() => document.activeElement?.getAttribute("role") === "tab");
    });
    await page.keyboard.press("ArrowRight");
    await page.getByRole("list", { name: "History of the live set" }).waitFor();
    expect(await focused()).toBe("History");

    const language = page.getByRole("button", { name: "Language" });
    await until("the menu's button", async () => {
      await page.keyboard.press("Shift+Tab");
      return language.evaluate((element) => element === document.activeElement);
    });
    await page.keyboard.press("Enter");
    expect(await focused()).toBe("English");
    await page.keyboard.press("ArrowDown");
    expect(await focused()).toBe("中文");
    await page.keyboard.press("Escape");
    expect(await language.evaluate((element) => element === document.activeElement)).toBe(true);
    expect(await page.getByRole("menu").count()).toBe(0);
  });

  test("a server that is stopped and started again is found by the open page", async ({ visit }) => {
    const server = await Server.start();
    try {
      // Without a server, requests and the websocket fail.
      const expected = /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|WebSocket/;
      const page = await visit({ server: server.address, link: server.link, page: "modules", expected });
      await page.evaluate(() => Object.assign(globalThis, { isTheSamePage: true }));
      await server.stop();
      await page.getByText("The server does not answer.", { exact: false }).waitFor();
      await server.startAgain();
      await page.getByText("The server does not answer.", { exact: false }).waitFor({ state: "detached" });
      await page.getByRole("status").getByText("Connected").waitFor();
      await goTo(page, "overview");
      await goTo(page, "modules");
      await page.getByRole("link", { name: "favorites", exact: true }).waitFor();
      expect(await page.evaluate(() => "isTheSamePage" in globalThis)).toBe(true);
    } finally {
      await server.remove();
    }
  });
});
