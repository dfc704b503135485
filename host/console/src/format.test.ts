import { afterEach, expect, test } from "vitest";
import { ago, bytes, duration, micros, number, parseBytes, percent, rate, share } from "./format";
import { language } from "./i18n";

afterEach(() => {
  language.value = "en";
});

test("sizes have at most three digits that count, and never 1024 of a unit", () => {
  const sizes = [0, 1, 1023, 1024, 1536, 10 * 1024, 262_144, 1024 ** 2 - 1, 67_108_864, 10 * 1024 ** 3];
  expect(sizes.map(bytes)).toEqual([
    "0 B",
    "1 B",
    "1,023 B",
    "1 KB",
    "1.5 KB",
    "10 KB",
    "256 KB",
    "1 MB",
    "64 MB",
    "10 GB",
  ]);
  expect(rate(2048)).toBe("2 KB/s");
});

test("the sizes that the API writes are read back", () => {
  expect(parseBytes("64 MB")).toBe(67_108_864);
  expect(parseBytes("539.51 KB")).toBeCloseTo(552_458.24);
  expect(parseBytes("168 B")).toBe(168);
  expect(parseBytes("0B")).toBe(0);
  for (const text of ["", "MB", "12", "1.2.3 KB", "twelve KB"]) expect(parseBytes(text)).toBeNull();
});

test("a length of time has its two largest units", () => {
  expect([0, 59, 60, 61, 3600, 3725, 90_061].map(duration)).toEqual([
    "0 s",
    "59 s",
    "1 min",
    "1 min 1 s",
    "1 h",
    "1 h 2 min",
    "1 d 1 h",
  ]);
  language.value = "zh";
  expect(duration(125)).toBe("2 分 5 秒");
});

test("microseconds get the unit that suits them", () => {
  expect([null, 180, 2100, 45_000, 1_500_000].map(micros)).toEqual(["–", "180 µs", "2.1 ms", "45 ms", "1.5 s"]);
});

test("a small share is not shown as nothing", () => {
  expect([share(0, 100), share(1, 100_000), share(1, 3), share(5, 0)]).toEqual(["0%", "<0.1%", "33.3%", "0%"]);
  expect(percent(50)).toBe("50%");
});

test("how long ago is said in the language of the page", () => {
  const now = 1_795_377_792_158;
  expect(ago(now - 30_000, now)).toBe("just now");
  expect(ago(now - 5 * 60_000, now)).toBe("5 minutes ago");
  language.value = "zh";
  expect(ago(now - 5 * 60_000, now)).toBe("5分钟前");
  expect(ago(now - 30_000, now)).toBe("刚刚");
});

test("after a week the date is said", () => {
  const now = Date.UTC(2026, 10, 30, 12);
  expect(ago(Date.UTC(2026, 10, 2, 12), now)).toBe("2 Nov 2026");
});

test("numbers are grouped", () => {
  expect(number(1_234_567)).toBe("1,234,567");
});
