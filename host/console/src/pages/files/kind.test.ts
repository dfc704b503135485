import { expect, test } from "vitest";
import { extension, isTextName, kindOfName } from "./kind";

test.each([
  ["照片.JPG", "picture"],
  ["clip.mp4", "video"],
  ["hello.amr", "voice"],
  ["notes.txt", "file"],
  [".jpg", "file"],
  ["", "file"],
])("%j is a %s", (name, kind) => {
  expect(kindOfName(name)).toBe(kind);
});

test("only the last extension counts", () => {
  expect(extension("archive.tar.GZ")).toBe("gz");
  expect(isTextName("a.log.bin")).toBe(false);
  expect(isTextName("a.bin.log")).toBe(true);
});
