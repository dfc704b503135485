import { expect, test } from "vitest";
import { Reader } from "../../src/feed/reader.js";
import type { FeedChange, TaskRow } from "../../src/feed/subscription.js";
import { row } from "../harness/fake_server.js";

function change(key: string, rows: TaskRow[], snapshot = false): FeedChange {
  return { key, subscription: { type: 0, platform: 3 }, rows, snapshot };
}

function seen(result: IteratorResult<FeedChange>): [string, boolean, string] | "end" {
  if (result.done) {
    return "end";
  }
  const { key, snapshot, rows } = result.value;
  return [key, snapshot, rows.map(({ taskId, progress }) => `${taskId}:${progress}`).join(" ")];
}

test("a slow loop gets the latest state of each task, and not every state", async () => {
  const reader = new Reader(() => {});
  reader.push(change("k", [row("a"), row("b")], true));
  for (let progress = 1; progress <= 1000; progress += 1) {
    reader.push(change("k", [row("a", progress)]));
  }
  expect(seen(await reader.next())).toEqual(["k", true, "a:1000 b:0"]);
  reader.push(change("k", [row("b", 7)]));
  expect(seen(await reader.next())).toEqual(["k", false, "b:7"]);
});

test("a later snapshot replaces what was not read", async () => {
  const reader = new Reader(() => {});
  reader.push(change("k", [row("a", 1), row("gone", 1)]));
  reader.push(change("k", [row("a", 2)], true));
  expect(seen(await reader.next())).toEqual(["k", true, "a:2"]);
});

test("keys take turns", async () => {
  const reader = new Reader(() => {});
  reader.push(change("one", [row("a")]));
  reader.push(change("two", [row("b")]));
  reader.push(change("one", [row("a", 5)]));
  expect(seen(await reader.next())).toEqual(["one", false, "a:5"]);
  expect(seen(await reader.next())).toEqual(["two", false, "b:0"]);
});

test("reads that wait are answered in their order", async () => {
  const reader = new Reader(() => {});
  const [first, second] = [reader.next(), reader.next()];
  reader.push(change("k", [row("a", 1)]));
  reader.push(change("k", [row("a", 2)]));
  expect(seen(await first)).toEqual(["k", false, "a:1"]);
  expect(seen(await second)).toEqual(["k", false, "a:2"]);
});

test("the end comes after what is unread, and its error comes once", async () => {
  const reader = new Reader(() => {});
  reader.push(change("k", [row("a")]));
  reader.end(new Error("refused"));
  expect(seen(await reader.next())).toEqual(["k", false, "a:0"]);
  await expect(reader.next()).rejects.toThrow("refused");
  expect(seen(await reader.next())).toBe("end");
});

test("an end reaches every read that waits", async () => {
  const reader = new Reader(() => {});
  const [first, second] = [reader.next(), reader.next()];
  reader.end(new Error("refused"));
  await expect(first).rejects.toThrow("refused");
  expect(seen(await second)).toBe("end");
});

test("who leaves the loop gets nothing more", async () => {
  let left = 0;
  const reader = new Reader(() => {
    left += 1;
  });
  reader.push(change("k", [row("a")]));
  await reader.return();
  expect(left).toBe(1);
  expect(seen(await reader.next())).toBe("end");
});
