/** The page API: a form for every method that serves. */
import { afterAll, beforeAll, describe, expect, inject } from "vitest";
import { changing } from "./harness/changing";
import { drop } from "./harness/drop";
import { call, Server } from "./harness/server";
import { goTo, test } from "./harness/visit";

const { url } = inject("server");

describe("the page API", () => {
  test("a method is found, filled in and answered, with the JSON and a command", async ({ visit }) => {
    const page = await visit({ page: "api" });
    await page.getByRole("searchbox").fill("getImFavoriteFolders");
    await page.getByRole("link", { name: /getImFavoriteFolders/ }).click();
    const method = page.getByRole("region", { name: "getImFavoriteFolders" });
    await method
      .getByLabel(/^page\b/)
      .first()
      .fill("1");
    await method
      .getByLabel(/^pageSize\b/)
      .first()
      .fill("7");
    await method.getByRole("button", { name: "Send" }).click();
    const answer = page.getByRole("region", { name: "Answer" });
    await answer.getByText("Code 200").waitFor();
    const shown = JSON.parse((await answer.locator("pre, code").first().textContent()) ?? "");
    expect(shown).toEqual({
      code: 200,
      message: null,
      data: await call(url, "getImFavoriteFolders", { page: 1, pageSize: 7 }),
    });
    await method.getByText("As a command").click();
    const command = await method.getByLabel("As a command").textContent();
    expect(command).toContain(`${url}/getImFavoriteFolders`);
    expect(command).toContain('"pageSize"');
  });

  test("an error of the business is an answer with its code", async ({ visit }) => {
    const page = await visit({ page: "api" });
    await page.goto(`${url}/#/api/deleteImFavoriteFolder`);
    const method = page.getByRole("region", { name: "deleteImFavoriteFolder" });
    await method.getByText("JSON", { exact: true }).click();
    await method.getByRole("textbox").fill('{"id": "no such folder"}');
    await method.getByRole("button", { name: "Send" }).click();
    await page.getByRole("region", { name: "Answer" }).getByText("Code 60000").waitFor();
  });

  describe("with a module of a third party", () => {
    let server: Server;

    beforeAll(async () => {
      server = await Server.start();
    });

    afterAll(() => server?.remove());

    test("its methods appear when it is swapped in", async ({ visit }) => {
      const page = await visit({ server: server.address, page: "api" });
      await page.getByRole("searchbox").fill("tests/label");
      await page.getByText("No method has these words").waitFor();
      await goTo(page, "modules");
      await drop(page, ".drop-zone", [{ name: "changing.wasm", bytes: changing("z") }]);
      await page.getByRole("dialog").getByRole("radio", { name: "Swap" }).check();
      await page.getByRole("dialog").getByRole("button", { name: "Swap in" }).click();
      await page
        .getByRole("dialog")
        .getByText(/^Generation \d+ is live$/)
        .waitFor();
      await page.keyboard.press("Escape");
      await goTo(page, "api");
      await page.getByRole("searchbox").fill("label");
      await page.getByRole("link", { name: /label/ }).first().click();
      await page.getByRole("button", { name: "Send" }).click();
      const answer = page.getByRole("region", { name: "Answer" });
      await answer.getByText("Code 200").waitFor();
      expect(await answer.textContent()).toContain('"z"');
    });
  });
});
