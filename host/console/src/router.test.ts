import { expect, test } from "vitest";
import { href, parse } from "./router";

test("a page has a path and a query", () => {
  expect(parse("#/files/favorites/1?type=2&q=a%20b")).toEqual({
    page: "files",
    path: ["favorites", "1"],
    query: { type: "2", q: "a b" },
  });
});

test("an unknown page, an empty address and a secret are the overview", () => {
  for (const address of ["", "#", "#/", "#/nothing/here?x=1", "#key=abcdefgh"]) {
    expect(parse(address)).toEqual({ page: "overview", path: [], query: {} });
  }
});

test("what an address says is what was put into it", () => {
  const path = ["storage", "66053280/446f", "旅行 50%"];
  const query = { q: "a&b=c?", page: "2" };
  expect(parse(href("files", path, query))).toEqual({ page: "files", path, query });
});

test("an empty part of the query is left out", () => {
  expect(href("transfers", [], { state: undefined, q: "", type: 0 })).toBe("#/transfers?type=0");
  expect(href("transfers")).toBe("#/transfers");
});

test("text that is not encoded well stays as it is", () => {
  expect(parse("#/files/100%").path).toEqual(["100%"]);
});
