import { expect, test } from "vitest";
import { readMessage } from "./message";

test("a text message is its text", () => {
  expect(readMessage('{"text":"你好\\n123"}')).toMatchObject({ text: "你好\n123", kind: "text" });
});

test("a picture has its name and its size", () => {
  const content = JSON.stringify({ imageInfoArray: [{ fileName: "a.jpg", width: 1053, height: 1784 }], thumb: "x" });
  expect(readMessage(content)).toMatchObject({ kind: "picture", fileName: "a.jpg", width: 1053, height: 1784 });
});

test("a voice has its length", () => {
  expect(readMessage('{"duration":10,"voiceUrl":"3dCx"}')).toMatchObject({ kind: "voice", seconds: 10 });
});

test("a video with a caption is a video", () => {
  expect(readMessage('{"videoUrl":"x","text":"caption"}')).toMatchObject({ kind: "video", text: "caption" });
});

test("an unknown message is shown as formatted JSON", () => {
  const message = readMessage('{"a":[1]}');
  expect(message.kind).toBeUndefined();
  expect(message.source).toBe('{\n  "a": [\n    1\n  ]\n}');
});

test("a message that is no JSON is shown as it is", () => {
  expect(readMessage("{broken")).toEqual({ text: "{broken", kind: "text", source: "{broken" });
});

test.each(["", "null", "[1]", "7", '{"imageInfoArray":[]}', '{"text":null}', '{"voice":""}'])(
  "the message %j has no text",
  (content) => {
    expect(readMessage(content).text).toBeUndefined();
  },
);
