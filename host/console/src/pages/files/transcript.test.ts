import { expect, test } from "vitest";
import { readTranscript } from "./transcript";

const line = (text: string) => JSON.stringify({ msgId: "1", time: 1743586800, from: "BdboNrsu", text });

test("a backup is read as its messages", () => {
  expect(readTranscript(`${line("收到了")}\n\n${line("a\nb")}\n`, false)).toEqual([
    { from: "BdboNrsu", time: 1743586800000, text: "收到了" },
    { from: "BdboNrsu", time: 1743586800000, text: "a\nb" },
  ]);
});

test("the last line of a text that goes on is left out", () => {
  expect(readTranscript(`${line("a")}\n{"te`, true)).toHaveLength(1);
});

test.each(["", "hello", '{"a":1}', "[1]\n", "null"])("%j is no list of messages", (text) => {
  expect(readTranscript(text, false)).toBeNull();
});

test("a line that is no message stays between them as it is", () => {
  expect(readTranscript(`${line("a")}\n-----\n${line("b")}`, false)?.map((one) => one.text)).toEqual([
    "a",
    "-----",
    "b",
  ]);
});

test("a message may have no sender and no time, or one in milliseconds", () => {
  expect(readTranscript('{"text":"a"}\n{"text":"b","time":1743586800123}', false)).toEqual([
    { from: "", time: undefined, text: "a" },
    { from: "", time: 1743586800123, text: "b" },
  ]);
});
