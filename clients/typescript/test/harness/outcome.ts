import { expect } from "vitest";
import type { FileProgress } from "../../src/index.js";
import { type Outcome, SIZE_BYTES } from "./scenario.js";

/** What every client must see. */
export function expectGood(outcome: Outcome): void {
  expect(outcome.refused).toBe(60002);
  expect(outcome.listed.sort()).toEqual(["照片 1.bin", "照片 2.bin"]);
  expect(outcome.isSame).toBe(true);
  expect(outcome.part).toEqual([true, 206]);
  expect(outcome.uploads).toEqual([
    { name: "照片 1.bin", status: 1, progress: 100, path: outcome.folder },
    { name: "照片 2.bin", status: 1, progress: 100, path: outcome.folder },
  ]);
  expect(outcome.states).toEqual(["open", "closed"]);
  for (const progress of [outcome.sent, outcome.received, outcome.resumable]) {
    expectGrowing(progress);
  }
}

/** Progress grows to the whole, in more than one step. */
export function expectGrowing(progress: FileProgress[], total = SIZE_BYTES): void {
  expect(progress.length).toBeGreaterThan(1);
  expect(progress.every(({ loaded }, index) => loaded >= (progress[index - 1]?.loaded ?? 0))).toBe(true);
  expect(progress.at(-1)).toEqual({ loaded: total, total });
}
