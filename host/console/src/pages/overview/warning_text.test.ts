import { afterEach, expect, test } from "vitest";
import { language } from "../../i18n";
import { translated } from "./warning_text";

afterEach(() => {
  language.value = "en";
});

const low = {
  id: "disk-low",
  severity: "warning",
  message: "the disk of /data has only 812 MiB free",
  action: "Remove files.",
  parameters: { dir: "/data", free: 851_443_712, total: 10 ** 11 },
} as const;

test("a known warning is said in the language of the page, with its values", () => {
  expect(translated(low).message).toBe("The disk of /data has only 812 MB free.");
  language.value = "zh";
  expect(translated(low).message).toBe("/data 所在磁盘仅剩 812 MB。");
});

test("a warning that the page does not know is shown as the server wrote it", () => {
  language.value = "zh";
  const { id: _, ...rest } = low;
  expect(translated({ ...rest, id: "new-one" })).toEqual({
    message: "The disk of /data has only 812 MiB free",
    action: "Remove files.",
  });
  expect(translated({ ...low, parameters: undefined }).action).toBe("Remove files.");
});
