import { expect, test } from "vitest";
import { changes } from "./changes";

test("new, replaced and removed modules are named, the others are not", () => {
  const before = [
    ["common", "1"],
    ["favorites", "1"],
    ["notes", "1"],
  ] as const;
  const after = [
    ["favorites", "2"],
    ["common", "1"],
    ["backups", "1"],
  ] as const;
  expect(changes(before, after)).toEqual([
    { name: "favorites", before: "1", after: "2" },
    { name: "backups", after: "1" },
    { name: "notes", before: "1" },
  ]);
  expect(changes(before, before)).toEqual([]);
});
