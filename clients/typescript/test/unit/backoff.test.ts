import { expect, test } from "vitest";
import { Backoff, pause } from "../../src/feed/backoff.js";

/** The waits of a backoff whose random number is always almost 1. */
function longest(backoff: Backoff, lasted: number[]): number[] {
  return lasted.map((ms) => Math.round(backoff.nextMs(ms)));
}

test("the longest wait doubles up to its bound", () => {
  const backoff = new Backoff({ firstMs: 100, mostMs: 1000, goodMs: 50 }, () => 1);
  expect(longest(backoff, [0, 0, 0, 0, 0, 0])).toEqual([100, 200, 400, 800, 1000, 1000]);
});

test("a connection that lasted makes the waits short again", () => {
  const backoff = new Backoff({ firstMs: 100, mostMs: 1000, goodMs: 50 }, () => 1);
  expect(longest(backoff, [0, 0, 49, 50, 0])).toEqual([100, 200, 400, 100, 200]);
});

test("a wait is random between nothing and the longest one", () => {
  const numbers = [0, 0.25, 0.5];
  const backoff = new Backoff({ firstMs: 100, mostMs: 100, goodMs: 50 }, () => numbers.shift() ?? 0);
  expect(longest(backoff, [0, 0, 0])).toEqual([0, 25, 50]);
});

test("the wait stays finite after very many failures", () => {
  const backoff = new Backoff({}, () => 1);
  const waits = longest(
    backoff,
    Array.from({ length: 5000 }, () => 0),
  );
  expect(waits.at(-1)).toBe(10_000);
});

test("a pause ends early when its signal is aborted", async () => {
  const controller = new AbortController();
  const paused = pause(2 ** 30, controller.signal);
  controller.abort();
  await paused;
  await pause(2 ** 30, AbortSignal.abort());
});
