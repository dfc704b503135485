import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { expectGood } from "../harness/outcome.js";
import { Program } from "../harness/program.js";
import { scenario } from "../harness/scenario.js";

test("a folder is made, files are sent, followed and read back in Node", async () => {
  const program = await Program.start("--token", "open-sesame");
  try {
    expectGood(await scenario(program.url, WebSocket, "open-sesame"));
    await expect(scenario(program.url, WebSocket, "wrong")).rejects.toMatchObject({ status: 401 });
  } finally {
    await program[Symbol.asyncDispose]();
  }
});
