import { expect, test } from "vitest";
import { isProtected, isText, pictureType } from "./sniff";

const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

test.each([
  ["\xff\xd8\xff\xe0", "image/jpeg"],
  ["\x89PNG\r\n\x1a\n", "image/png"],
  ["GIF89a", "image/gif"],
  ["RIFF\x10\0\0\0WEBPVP8 ", "image/webp"],
  ["\0\0\0\x1cftypavif", "image/avif"],
])("a picture is known by its first bytes", (start, type) => {
  expect(pictureType(bytes(start))).toBe(type);
});

test.each(["<svg xmlns=", "RIFF\x10\0\0\0WAVE", "hello", ""])("%j is no picture", (start) => {
  expect(pictureType(bytes(start))).toBeNull();
});

test("a protected file is known by its first bytes", () => {
  expect(isProtected(bytes("age-encryption.org/v1\n"))).toBe(true);
  expect(isProtected(bytes("age-encryption.org"))).toBe(false);
});

test("a text that is cut within a character is a text", () => {
  const whole = new TextEncoder().encode("你好");
  expect(isText(whole, false)).toBe(true);
  expect(isText(whole.subarray(0, 5), true)).toBe(true);
  expect(isText(whole.subarray(0, 5), false)).toBe(false);
});

test("bytes with zeros are no text", () => {
  expect(isText(bytes("a\0b"), false)).toBe(false);
});
