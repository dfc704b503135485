import { expect, test } from "vitest";
import { isName, suggestedName } from "./names";

test("a file is loaded as its stem, or as the live module that it was built from", () => {
  const live = ["favorites", "temp-files"];
  expect(suggestedName("notes.wasm", live)).toBe("notes");
  expect(suggestedName("favorites.WASM", live)).toBe("favorites");
  expect(suggestedName("temp_files.wasm", live)).toBe("temp-files");
  expect(suggestedName("stowage_temp_files.wasm", live)).toBe("temp-files");
  expect(suggestedName("stowage_other.wasm", live)).toBe("stowage_other");
});

test("names are those that the server takes", () => {
  for (const name of ["a", "9", "temp-files", "A_b.c", "x".repeat(64)]) expect(isName(name), name).toBe(true);
  for (const name of ["", "-a", ".a", "a b", "备份", "a/b", "x".repeat(65)]) expect(isName(name), name).toBe(false);
});
