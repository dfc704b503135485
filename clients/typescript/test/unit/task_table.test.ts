import { expect, test } from "vitest";
import { TaskTable } from "../../src/feed/task_table.js";
import { row } from "../harness/fake_server.js";

const subscription = { type: 0 as const, platform: 3 };

function tasks(table: TaskTable): string[] {
  return [...table.rows.values()].map(({ taskId, progress }) => `${taskId}:${progress}`).sort();
}

test("a change replaces the rows of its tasks only", () => {
  const table = new TaskTable();
  table.apply({ key: "k", subscription, rows: [row("a"), row("b")], snapshot: true });
  table.apply({ key: "k", subscription, rows: [row("b", 9), row("c")], snapshot: false });
  expect(tasks(table)).toEqual(["a:0", "b:9", "c:0"]);
});

test("a snapshot forgets the tasks that it does not have", () => {
  const table = new TaskTable();
  table.apply({ key: "k", subscription, rows: [row("a"), row("b")], snapshot: true });
  table.apply({ key: "k", subscription, rows: [row("b", 1)], snapshot: true });
  expect(tasks(table)).toEqual(["b:1"]);
});

test("a task of two subscriptions stays while one has it", () => {
  const table = new TaskTable();
  table.apply({ key: "one", subscription, rows: [row("a")], snapshot: true });
  table.apply({ key: "two", subscription, rows: [row("a")], snapshot: true });
  table.apply({ key: "one", subscription, rows: [], snapshot: true });
  expect(tasks(table)).toEqual(["a:0"]);
  table.apply({ key: "two", subscription, rows: [], snapshot: true });
  expect(tasks(table)).toEqual([]);
});

test("the state of a topic is known after its first frame", () => {
  const table = new TaskTable();
  expect(table.snapshot({ key: "k", subscription })).toBeUndefined();
  table.apply({ key: "k", subscription, rows: [], snapshot: true });
  table.apply({ key: "k", subscription, rows: [row("a", 3)], snapshot: false });
  expect(table.snapshot({ key: "k", subscription })).toEqual({
    key: "k",
    subscription,
    rows: [row("a", 3)],
    snapshot: true,
  });
});
