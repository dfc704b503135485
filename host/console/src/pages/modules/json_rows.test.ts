import { expect, test } from "vitest";
import { folded, type Row, rows } from "./json_rows";

const side = (all: Row[], name: "live" | "shadow") => all.flatMap((row) => row[name] ?? []).join("\n");
const marked = (all: Row[]) => all.filter((row) => row.differs).map((row) => [row.live, row.shadow]);

test("each side reads as the JSON that it is", () => {
  const live = { code: 200, data: [{ a: 1, b: [] }, { c: null }], gone: { x: [1, 2] } };
  const shadow = { code: 600, data: [{ a: 2, b: {} }], added: "text" };
  const all = rows(live, shadow);
  expect(JSON.parse(side(all, "live"))).toEqual(live);
  expect(JSON.parse(side(all, "shadow"))).toEqual(shadow);
});

test("only the value that differs is marked", () => {
  const all = rows({ list: [{ id: 1, size: "2.33 KB" }] }, { list: [{ id: 1, size: "2.34 KB" }] });
  expect(marked(all)).toEqual([['      "size": "2.33 KB"', '      "size": "2.34 KB"']]);
});

test("a row that is missing moves no other row", () => {
  const all = rows(["a", "b", "c", "d"], ["a", "c", "d"]);
  expect(marked(all)).toEqual([['  "b",', undefined]]);
  expect(all.map((row) => row.shadow)).toEqual(["[", '  "a",', undefined, '  "c",', '  "d"', "]"]);
});

test("the order of keys makes no difference", () => {
  expect(marked(rows({ a: 1, b: 2 }, { b: 2, a: 1 }))).toEqual([]);
});

test("a value of another type is marked whole", () => {
  const all = rows({ a: [1, 2] }, { a: null });
  expect(marked(all).map(([live]) => live)).toEqual(['  "a": [', "    1,", "    2", "  ]"]);
  expect(marked(all)[0]?.[1]).toBe('  "a": null');
});

test("long arrays are compared place by place", () => {
  const long = Array.from({ length: 500 }, (_, n) => n);
  const all = rows(long, [...long.slice(0, 499), -1]);
  expect(marked(all)).toEqual([["  499", "  -1"]]);
});

test("equal lines far from a difference are folded", () => {
  const many = Array.from({ length: 20 }, (_, n) => n);
  const parts = folded(rows({ a: many, b: 1, c: many }, { a: many, b: 2, c: many }));
  expect(parts.map((part) => ("equal" in part ? part.equal.length : part.live))).toEqual([
    21,
    "    19",
    "  ],",
    '  "b": 1,',
    '  "c": [',
    "    0,",
    21,
  ]);
  expect(folded(rows([1], [1]))).toHaveLength(1);
});
