/** The messages of a backup file: a line of JSON each. */

export interface Line {
  /** Empty for what is no message. */
  from: string;
  /** In milliseconds since 1970, or undefined if the line has no time. */
  time: number | undefined;
  text: string;
}

/** From this number on a time is in milliseconds, as in the API. */
const leastMilliseconds = 100_000_000_000;

/**
 * The messages of a text, or null if its first line is none. Other lines between them are kept as
 * they are. `cut` says that the text goes on, so its last line may be a part of one.
 */
export function readTranscript(text: string, cut: boolean): Line[] | null {
  const rows = text.split("\n");
  if (cut) rows.pop();
  const lines: Line[] = [];
  for (const row of rows) {
    if (row.trim() === "") continue;
    const line = readLine(row);
    if (!line && lines.length === 0) return null;
    lines.push(line ?? { from: "", time: undefined, text: row });
  }
  return lines.length > 0 ? lines : null;
}

function readLine(row: string): Line | null {
  let value: unknown;
  try {
    value = JSON.parse(row);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { text, from, time } = value as Record<string, unknown>;
  if (typeof text !== "string") return null;
  const ms = typeof time === "number" ? (time < leastMilliseconds ? time * 1000 : time) : undefined;
  return { text, time: ms, from: typeof from === "string" ? from : "" };
}
