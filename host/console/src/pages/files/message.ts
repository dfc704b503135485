/** The message that a row came with. Clients write different fields, so only a few are known. */
import type { Kind } from "./kind";

export interface Message {
  /** The text of a text message. */
  text?: string;
  /** The name of the file that the message is about. */
  fileName?: string;
  /** In pixels. */
  width?: number;
  height?: number;
  /** Of a voice or a video, in seconds. */
  seconds?: number;
  kind?: Kind;
  /** The whole message: formatted JSON, or as it is if it is none. Empty without a message. */
  source: string;
}

/** Reads `msgContent`. */
export function readMessage(content: string): Message {
  if (content === "") return { source: "" };
  let fields: unknown;
  try {
    fields = JSON.parse(content);
  } catch {
    // Not JSON: what is there is what a person reads.
    return { text: content, kind: "text", source: content };
  }
  const source = JSON.stringify(fields, null, 2);
  if (typeof fields === "string") return { text: fields, kind: "text", source };
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) return { source };
  return { ...known(fields as Record<string, unknown>), source };
}

function known(fields: Record<string, unknown>): Omit<Message, "source"> {
  const message: Omit<Message, "source"> = {};
  const { text, fileName, duration, imageInfoArray } = fields;
  if (typeof text === "string") message.text = text;
  if (typeof fileName === "string") message.fileName = fileName;
  if (typeof duration === "number" && duration >= 0) message.seconds = duration;
  const named = (prefixes: string[]) =>
    Object.entries(fields).some(
      ([name, value]) => filled(value) && prefixes.some((prefix) => name.toLowerCase().startsWith(prefix)),
    );
  const picture = Array.isArray(imageInfoArray)
    ? (imageInfoArray[0] as Record<string, unknown> | undefined)
    : undefined;
  if (Array.isArray(imageInfoArray)) message.kind = "picture";
  else if (named(["video", "snapshot"])) message.kind = "video";
  else if (message.text !== undefined) message.kind = "text";
  else if (named(["voice", "audio", "sound"])) message.kind = "voice";
  if (picture) {
    const { width, height } = picture;
    if (typeof width === "number" && typeof height === "number") Object.assign(message, { width, height });
    if (message.fileName === undefined && typeof picture["fileName"] === "string") {
      message.fileName = picture["fileName"];
    }
  }
  return message;
}

function filled(value: unknown): boolean {
  if (value === null || value === false || value === "") return false;
  return typeof value !== "object" || Object.keys(value).length > 0;
}
