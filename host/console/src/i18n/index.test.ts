import { afterEach, expect, test } from "vitest";
import { en } from "./en";
import { language, plural, preferred, texts } from "./index";
import { zh } from "./zh";

afterEach(() => {
  language.value = "en";
});

test("the first language of the browser that the console speaks counts", () => {
  expect(preferred(["de-DE", "zh-TW", "en"])).toBe("zh");
  expect(preferred(["en-US", "zh-CN"])).toBe("en");
  expect(preferred(["fr"])).toBe("en");
  expect(preferred([])).toBe("en");
});

test("a kept choice counts more than the browser, if it is a language", () => {
  expect(preferred(["en"], "zh")).toBe("zh");
  expect(preferred(["zh"], "xx")).toBe("zh");
});

test("texts follow the language", () => {
  const text = texts({ en: { a: "one" }, zh: { a: "一" } });
  expect(text().a).toBe("one");
  language.value = "zh";
  expect(text().a).toBe("一");
});

test("no common text is empty, and the Chinese ones are Chinese", () => {
  const leaves = (value: unknown, path: string): [string, string][] => {
    if (typeof value === "function") return [[path, value(2)]];
    if (typeof value === "string") return [[path, value]];
    return Object.entries(value as object).flatMap(([key, inner]) => leaves(inner, `${path}.${key}`));
  };
  const chinese = new Map(leaves(zh, ""));
  for (const [path, english] of leaves(en, "")) {
    expect(english, path).not.toBe("");
    // Names stay names.
    if (english !== "DAPP") expect(chinese.get(path), path).toMatch(/\p{Script=Han}/u);
  }
});

test("English has two forms", () => {
  expect([0, 1, 2, 21].map((n) => plural(n, "file", "files"))).toEqual(["files", "file", "files", "files"]);
});
