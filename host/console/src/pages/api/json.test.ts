import { expect, test } from "vitest";
import { format, parse, tokens } from "./json";

const kinds = (text: string) =>
  tokens(text)
    .filter(({ kind }) => kind !== "space" && kind !== "mark")
    .map(({ kind, text }) => [kind, text]);

test("names, texts, numbers and words are told apart", () => {
  expect(kinds('{"a" : "b:", "n":-1.5e3, "t":[true,null]}')).toEqual([
    ["name", '"a"'],
    ["text", '"b:"'],
    ["name", '"n"'],
    ["number", "-1.5e3"],
    ["name", '"t"'],
    ["word", "true"],
    ["word", "null"],
  ]);
});

test.each(['{"a":"\\"}"}', "not json", '{"a": }', '"unfinished', ""])("the tokens of %j are the whole text", (text) => {
  expect(
    tokens(text)
      .map((token) => token.text)
      .join(""),
  ).toBe(text);
});

test("formatting keeps every digit of a number", () => {
  expect(format('{"id":9223372036854775807,"f":1.0}')).toBe('{\n  "id": 9223372036854775807,\n  "f": 1.0\n}');
});

test("formatting agrees with the browser where numbers are small", () => {
  const value = { code: 200, message: null, data: [{ a: [], b: {}, c: 'x, y: [z]"\\' }, [1, [2]], "照片"] };
  expect(format(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2));
});

test("what is no JSON stays as it is", () => {
  expect(format("{broken")).toBe("{broken");
});

test("a number that JavaScript cannot hold is read as a text", () => {
  expect(parse('{"a":9223372036854775807,"b":[1,-9223372036854775808],"c":"9223372036854775807"}')).toEqual({
    value: { a: "9223372036854775807", b: [1, "-9223372036854775808"], c: "9223372036854775807" },
  });
});

test("a wrong text says why", () => {
  expect(parse("{")).toHaveProperty("error");
  expect(parse("[1]")).toEqual({ value: [1] });
});
