import { expect, test } from "vitest";
import { allows, phaseOf } from "./phase";

const row = (type: number, status: number, code = 0) =>
  ({ type, status, code, taskId: "t", name: "n" }) as Parameters<typeof allows>[0];

test("the numbers of uploads and downloads mean different phases", () => {
  const numbers = [-1, 0, 1, 2, 3, 4, 5];
  expect(numbers.map((status) => phaseOf(row(0, status)))).toEqual([
    "waiting",
    "waiting",
    "done",
    "running",
    "failed",
    "paused",
    "failed",
  ]);
  expect(numbers.map((status) => phaseOf(row(1, status)))).toEqual([
    "waiting",
    "failed",
    "running",
    "paused",
    "gone",
    "done",
    "failed",
  ]);
});

test("a task that goes on by itself waits, and one that needs a person is paused", () => {
  expect(phaseOf(row(1, 2, 503))).toBe("waiting");
  expect(phaseOf(row(1, 2, 507))).toBe("waiting");
  expect(phaseOf(row(0, 4, 503))).toBe("waiting");
  expect(phaseOf(row(1, 2, 60004))).toBe("paused");
});

test("only what the server would do is offered", () => {
  expect(allows(row(1, 1), "pause")).toBe(true);
  expect(allows(row(1, 4), "pause")).toBe(false);
  expect(allows(row(1, 4), "retry")).toBe(false);
  expect(allows(row(1, 4), "remove")).toBe(true);
  expect(allows(row(1, 5, 499), "retry")).toBe(true);
  expect(allows(row(0, 0), "resume")).toBe(false);
  expect(allows(row(0, 4, 503), "resume")).toBe(true);
});
