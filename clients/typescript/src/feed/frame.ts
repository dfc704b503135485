import { StowageError } from "../error.js";
import type { TaskRow } from "./subscription.js";

/** The name of the feed in error messages. */
export const FEED = "GET /ws";

/** A text of the websocket. */
export interface Frame {
  key: string;
  rows: TaskRow[];
  /** Counts the frames of a key on this connection, from 1. Frame 1 is the snapshot. */
  seq: number;
}

/**
 * Reads a frame.
 *
 * @throws StowageError if it is an error, or no frame at all.
 */
export function frameOf(message: unknown): Frame {
  const value = typeof message === "string" ? parse(message) : undefined;
  if (value === undefined || typeof value["code"] !== "number") {
    throw malformed();
  }
  const { key, code, data, seq } = value;
  if (code !== 200) {
    const reason = typeof value["message"] === "string" ? value["message"] : "the server gives no reason";
    throw new StowageError(code as number, 200, FEED, reason);
  }
  if (typeof key !== "string" || !Number.isSafeInteger(seq) || !Array.isArray(data)) {
    throw malformed();
  }
  if (!data.every((row) => typeof row === "object" && row !== null && typeof row.taskId === "string")) {
    throw malformed();
  }
  return { key, rows: data, seq: seq as number };
}

function malformed(): StowageError {
  return new StowageError(0, 200, FEED, "the server sent something that is no frame of the feed");
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
