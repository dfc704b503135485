import { expect, test } from "vitest";
import { parseCount, parseRate, splitRate } from "./written";

test("a speed is a number of the unit, and nothing is no limit", () => {
  expect(parseRate("", 1024)).toBe(0);
  expect(parseRate(" 1.5 ", 1024 ** 2)).toBe(1_572_864);
  expect(parseRate("1,5", 1024)).toBe(1536);
  for (const written of ["-1", "a", "1e9", "1.2.3", "99999999999999"]) expect(parseRate(written, 1024 ** 2)).toBeNull();
});

test("a speed is shown so that it is read back as it was", () => {
  for (const value of [0, 1024, 512 * 1024, 4 * 1024 ** 2]) {
    const { amount, unit } = splitRate(value);
    expect(parseRate(amount, unit)).toBe(value);
  }
});

test("a count is whole and fits into the API", () => {
  expect([parseCount(""), parseCount("4"), parseCount("4294967295")]).toEqual([0, 4, 4294967295]);
  for (const written of ["4294967296", "1.5", "-1", "x"]) expect(parseCount(written)).toBeNull();
});
