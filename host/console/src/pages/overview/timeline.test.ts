import { expect, test } from "vitest";
import { filled, merge, recent, span } from "./timeline";

const second = (at: number, calls: number, p99Us: number | null = null) => ({
  at,
  calls,
  failed: 0,
  p50Us: p99Us,
  p99Us,
});

test("newer seconds are added, a second that is told again replaces the earlier one", () => {
  const merged = merge([second(1, 1), second(2, 1)], [second(3, 3), second(2, 2)]);
  expect(merged.map(({ at, calls }) => [at, calls])).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
  ]);
});

test("only five minutes are kept", () => {
  const old = Array.from({ length: span }, (_, n) => second(n, 1));
  const merged = merge(old, [second(span + 9, 1)]);
  expect(merged[0]?.at).toBe(10);
  expect(merged.length).toBe(span - 9);
});

test("a second without calls is there, with no latency", () => {
  const timeline = filled([second(100, 5, 80), second(102, 7, 90)], 103);
  expect(timeline.length).toBe(span);
  expect(timeline.slice(-4).map(({ at, calls, p99Us }) => [at, calls, p99Us])).toEqual([
    [100, 5, 80],
    [101, 0, null],
    [102, 7, 90],
    [103, 0, null],
  ]);
});

test("the reading is the mean of calls and the worst latency of ten seconds", () => {
  const timeline = filled([second(80, 1000, 9999), second(95, 20, 80), second(100, 30, 60)], 100);
  expect(recent(timeline)).toEqual({ rate: 5, failed: 0, p50Us: 80, p99Us: 80 });
  expect(recent(filled([], 100))).toEqual({ rate: 0, failed: 0, p50Us: null, p99Us: null });
});
