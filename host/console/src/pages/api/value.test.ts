import { expect, test } from "vitest";
import type { Field } from "./schema";
import { numberOf, problemOf, startValue, withField } from "./value";

const about = { description: "", nullable: false };
const page: Field = { ...about, kind: "integer", minimum: 1, maximum: 1000 };
const form: Field = {
  ...about,
  kind: "object",
  fields: [
    { name: "favId", required: true, field: { ...about, kind: "text" } },
    { name: "keyword", required: false, field: { ...about, kind: "text" } },
    { name: "page", required: true, field: page },
  ],
};

test("a new form has the required fields, in their ranges", () => {
  expect(startValue(form)).toEqual({ favId: "", page: 1 });
});

test("a range below zero begins at its upper end", () => {
  expect(startValue({ ...about, kind: "integer", minimum: -9, maximum: -3 })).toBe(-3);
});

test("a field that is changed keeps its place, and one that is cleared goes", () => {
  const value = { favId: "1", page: 1 };
  expect(JSON.stringify(withField(value, "favId", "2"))).toBe('{"favId":"2","page":1}');
  expect(withField(value, "page", undefined)).toEqual({ favId: "1" });
  expect(JSON.stringify(withField(value, "keyword", "x"))).toBe('{"favId":"1","page":1,"keyword":"x"}');
});

test("a whole number that JavaScript cannot hold stays a text", () => {
  expect(numberOf("9007199254740991")).toBe(9007199254740991);
  expect(numberOf("9223372036854775807")).toBe("9223372036854775807");
});

test("what is no number stays as it was typed, so that the field can say what is wrong", () => {
  expect(numberOf("12a")).toBe("12a");
  expect(problemOf(page, "12a")).toEqual({ name: "integer" });
  expect(numberOf("  ")).toBeUndefined();
});

test.each([
  [0, { name: "range", minimum: 1, maximum: 1000 }],
  ["1001", { name: "range", minimum: 1, maximum: 1000 }],
  [1.5, { name: "integer" }],
  [null, { name: "integer" }],
  ["7", undefined],
  [undefined, undefined],
])("the page %j has the problem %j", (value, problem) => {
  expect(problemOf(page, value)).toEqual(problem);
});

test("null is right only where it is allowed", () => {
  expect(problemOf({ ...page, nullable: true }, null)).toBeUndefined();
});

test("a list says how many it wants", () => {
  const list: Field = { ...about, kind: "list", item: page, minItems: 1, maxItems: 1000 };
  expect(problemOf(list, [])).toEqual({ name: "length", minimum: 1, maximum: 1000 });
  expect(problemOf(list, "x")).toEqual({ name: "list" });
  expect(startValue(list)).toEqual([1]);
});
