import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { type Call, curl, quote } from "./curl";

const call: Call = {
  method: "POST",
  url: "http://127.0.0.1:8787/initStorage$IMDataFromSdk",
  headers: { "content-type": "application/json" },
  token: false,
};

/** What a real shell gives to the program. */
function words(command: string): string[] {
  const script = `curl() { printf '%s\\0' "$@"; }\n${command}`;
  return execFileSync("sh", ["-c", script], { encoding: "utf8" }).split("\0").slice(0, -1);
}

test.each(["it's", '$(touch /x) `y` "z"', "a\nb\\", "照片 !", "'", ""])("a shell reads %j as one word", (text) => {
  expect(words(`curl ${quote(text)}`)).toEqual([text]);
});

test("a call is a command that sends the same bytes", () => {
  const body = '{\n  "name": "it\'s $HOME"\n}';
  expect(words(curl({ ...call, body }))).toEqual([
    call.url,
    "-H",
    "content-type: application/json",
    "--data-raw",
    body,
  ]);
});

test("a server with a token gets a placeholder", () => {
  expect(words(curl({ ...call, body: "{}", token: true }))).toContain("authorization: Bearer TOKEN");
});

test("each method is asked for in curl's own way", () => {
  const first = (method: string, more: Partial<Call> = {}) => words(curl({ ...call, headers: {}, method, ...more }));
  expect(first("GET")).toEqual([call.url]);
  expect(first("HEAD")).toEqual(["-I", call.url]);
  expect(first("PUT", { file: "a b.jpg" })).toEqual(["-T", "a b.jpg", call.url]);
  expect(first("PATCH", { file: "a" })).toEqual(["-X", "PATCH", call.url, "--data-binary", "@a"]);
  expect(first("POST")).toEqual(["-X", "POST", call.url]);
});
