import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { Stowage } from "../../src/index.js";
import { bytes } from "../harness/bytes.js";
import { Program } from "../harness/program.js";
import { until } from "../harness/wait.js";

let program: Program;
let stowage: Stowage;

beforeAll(async () => {
  program = await Program.start();
  stowage = new Stowage({ url: program.url, WebSocket });
});

afterAll(() => program[Symbol.asyncDispose]());

/** Uploads a file to the cloud storage, and returns its task. */
async function upload(name: string, seed: number): Promise<string> {
  return (await stowage.files.put(bytes(1000, seed), { platform: 3, name })).taskId;
}

test("a feed goes on after the server was killed and started again", async () => {
  const feed = stowage.feed({ type: 0, platform: 3 }, { retry: { firstMs: 50, mostMs: 200 } });
  const states: string[] = [];
  const snapshots: number[] = [];
  feed.addEventListener("state", ({ detail }) => states.push(detail));
  feed.addEventListener("change", ({ detail }) => detail.snapshot && snapshots.push(detail.rows.length));
  const before = await upload("before.bin", 11);
  await until("the first upload", () => feed.tasks.get(before)?.status === 1);

  await program.kill();
  await until("the loss", () => feed.state === "waiting");
  await program.restart();
  await until("the connection", () => feed.state === "open");

  const after = await upload("after.bin", 12);
  await until("the second upload", () => feed.tasks.get(after)?.status === 1);
  expect(feed.tasks.get(before)?.status).toBe(1);
  expect(states.slice(0, 3)).toEqual(["open", "waiting", "connecting"]);
  expect(states.at(-1)).toBe("open");
  expect(snapshots.length).toBe(2);
  expect(snapshots[1]).toBeGreaterThanOrEqual(1);
  await feed[Symbol.asyncDispose]();
  expect(feed.state).toBe("closed");
});

test("one feed follows several subscriptions", async () => {
  const feed = stowage.feed([
    { type: 0, platform: 3 },
    { type: 1, platform: 3 },
  ]);
  const { taskId, hash } = await stowage.files.put(bytes(5000, 13), { platform: 3, name: "both.bin" });
  await until("the upload", () => feed.tasks.get(taskId)?.status === 1);
  await stowage.call("downloadStorageFileTask", { hash, platform: 3, taskId: "down" });
  const row = await until("the download", () =>
    [...feed.tasks.values()].find(({ type, status }) => type === 1 && status === 4),
  );
  expect(row).toMatchObject({ hash, taskId: "down", progress: 100 });
  feed.close();
});

test("a subscription of a status has only its tasks", async () => {
  const taskId = await upload("only.bin", 14);
  const all = stowage.feed({ type: 0, platform: 3 });
  await until("the upload", () => all.tasks.get(taskId)?.status === 1);
  all.close();
  const failed = stowage.feed({ type: 0, platform: 3, status: 3 });
  for await (const { rows, snapshot } of failed) {
    expect([rows, snapshot]).toEqual([[], true]);
    break;
  }
});

test("a wrong subscription ends the feed with the server's message", async () => {
  const feed = stowage.feed({ type: 0, platform: 9 });
  await until("the end", () => feed.state === "closed");
  expect(feed.error).toMatchObject({ code: 600, reason: expect.stringContaining("platform") });
});
