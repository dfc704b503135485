import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { deleteLater, doomed, patience } from "./deletion";
import type { Entry } from "./entry";
import type { Section } from "./section";

const entry = (key: string) => ({ key, folder: false }) as Entry;
const entries = (...keys: string[]) => keys.map(entry);

/** A section that notes what was deleted. */
function section(refuse?: Error) {
  const deleted: string[][] = [];
  const made = {
    delete: async (entries: readonly Entry[]) => {
      deleted.push(entries.map((one) => one.key));
      if (refuse) throw refuse;
    },
  } as unknown as Section;
  return { deleted, section: made };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(async () => {
  await vi.runAllTimersAsync();
  vi.useRealTimers();
});

test("a deletion waits, and then the marks go", async () => {
  const { deleted, section: made } = section();
  const done = vi.fn();
  deleteLater(made, entries("a", "b"), done);
  expect([...doomed.value]).toEqual(["a", "b"]);
  await vi.advanceTimersByTimeAsync(patience - 1);
  expect(deleted).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(deleted).toEqual([["a", "b"]]);
  expect(done).toHaveBeenCalledWith(undefined);
  expect(doomed.value.size).toBe(0);
});

test("a deletion that is taken back deletes nothing", async () => {
  const { deleted, section: made } = section();
  const undo = deleteLater(made, entries("a"), () => {});
  undo();
  expect(doomed.value.size).toBe(0);
  await vi.runAllTimersAsync();
  expect(deleted).toEqual([]);
});

test("a deletion that was sent cannot be taken back", async () => {
  const { deleted, section: made } = section();
  let finish = () => {};
  const undo = deleteLater(made, entries("a"), () => new Promise((resolve) => (finish = resolve)));
  await vi.advanceTimersByTimeAsync(patience);
  undo();
  expect([...doomed.value]).toEqual(["a"]);
  finish();
  await vi.runAllTimersAsync();
  expect(deleted).toEqual([["a"]]);
});

test("a refusal is told", async () => {
  const refused = new Error("no such file");
  const done = vi.fn();
  deleteLater(section(refused).section, entries("a"), done);
  await vi.advanceTimersByTimeAsync(patience);
  expect(done).toHaveBeenCalledWith(refused);
  expect(doomed.value.size).toBe(0);
});

test("more than a last request can carry sends the earlier ones at once", async () => {
  const { deleted, section: made } = section();
  deleteLater(made, entries("a"), () => {});
  deleteLater(made, entries(...Array.from({ length: 1000 }, (_, n) => `b${n}`)), () => {});
  await vi.advanceTimersByTimeAsync(0);
  expect(deleted).toEqual([["a"]]);
});
