import { expect, test } from "vitest";
import { parse } from "../../router";
import { filterOf, queryOf } from "./filter";
import { dayOf, momentOf } from "./toolbar";

test("a filter survives its address", () => {
  const filter = { keyword: "a b&照片", type: 3, from: 1_700_000_000_000, to: 1_700_086_399_999, down: false };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(queryOf(filter))) if (value !== undefined) query.set(name, `${value}`);
  expect(filterOf(parse(`#/files/favorites/1?${query}`).query)).toEqual(filter);
});

test("an address without filters is everything, newest first", () => {
  expect(filterOf({})).toEqual({ keyword: "", type: 0, from: undefined, to: undefined, down: true });
});

test.each<Record<string, string>>([{ type: "9" }, { type: "x" }, { from: "-1" }, { to: "1e99" }])(
  "the wrong filter %j is left out",
  (query) => {
    expect(filterOf(query)).toEqual(filterOf({}));
  },
);

test("the last day of a period is in it to its end", () => {
  const [start, end] = [momentOf("2025-04-09"), momentOf("2025-04-09", true)];
  expect((end ?? 0) - (start ?? 0)).toBe(86_399_999);
  expect([dayOf(start ?? 0), dayOf(end ?? 0)]).toEqual(["2025-04-09", "2025-04-09"]);
});

test("an empty date field is no limit", () => {
  expect(momentOf("")).toBeUndefined();
});
