import type { TaskRow } from "stowage-client";
import { expect, test } from "vitest";
import { countsOf, filterOf, queryOf, sorted, totalsOf, withoutGroup } from "./filter";

const row = (id: number, change: Partial<TaskRow>) =>
  ({
    id,
    taskId: `t${id}`,
    name: `${id}`,
    type: 1,
    status: 1,
    code: 0,
    shareIndex: 3,
    size: id,
    speed: 0,
    ...change,
  }) as TaskRow;

const rows = [
  row(1, { name: "Cat.jpg", status: 4 }),
  row(2, { name: "dog.jpg", type: 0, status: 2, speed: 100, shareIndex: 2 }),
  row(3, { name: "猫.png", status: 5, code: 499 }),
  row(4, { name: "CATALOG", status: 1, speed: 30 }),
  row(5, { name: "wait", status: 2, code: 503 }),
];

test("a filter survives the address", () => {
  const filter = { group: "failed", type: 0, platform: 4, keyword: "a b" } as const;
  const query = Object.entries(queryOf(filter)).map(([name, value]) => [name, String(value)]);
  expect(filterOf(Object.fromEntries(query))).toEqual(filter);
});

test("what is wrong in the address counts as absent", () => {
  expect(filterOf({ state: "no", type: "2", platform: "9", q: "" })).toEqual({
    group: "all",
    type: -1,
    platform: -1,
    keyword: "",
  });
});

test("a keyword ignores case", () => {
  const all = { group: "all", type: -1, platform: -1, keyword: "" } as const;
  const ids = (change: object) => withoutGroup(rows, { ...all, ...change }).map(({ id }) => id);
  expect(ids({ keyword: " cat" })).toEqual([1, 4]);
  expect(ids({ keyword: "猫" })).toEqual([3]);
  expect(ids({ type: 0 })).toEqual([2]);
  expect(ids({ platform: 3, keyword: "jpg" })).toEqual([1]);
});

test("each task is in one group", () => {
  expect(countsOf(rows)).toEqual({ all: 5, active: 3, failed: 1, done: 1 });
});

test("totals are those of running tasks", () => {
  expect(totalsOf(rows)).toEqual({ download: 30, upload: 100, running: 2, waiting: 1 });
});

test("a list is sorted without a change of the one that came", () => {
  expect(sorted(rows, { column: "size", down: true }).map(({ id }) => id)).toEqual([5, 4, 3, 2, 1]);
  expect(rows[0]?.id).toBe(1);
});
