import { StowageError } from "./error.js";

/** The most characters of a foreign answer that an error message quotes. */
const QUOTED_CHARS = 200;

/**
 * The data of an answer `{code, message, data}`.
 *
 * @throws StowageError if the code is not 200, or the text is no such answer.
 */
export function dataOf(method: string, status: number, text: string): unknown {
  const envelope = parse(text);
  if (envelope === undefined) {
    const quoted = text.slice(0, QUOTED_CHARS);
    throw new StowageError(0, status, method, `expected an answer of Stowage, got ${JSON.stringify(quoted)}`);
  }
  if (envelope.code !== 200 || status >= 300) {
    throw new StowageError(envelope.code, status, method, envelope.message ?? "the server gives no reason");
  }
  return envelope.data;
}

interface Envelope {
  code: number;
  message: string | null;
  data: unknown;
}

function parse(text: string): Envelope | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const isEnvelope = typeof value === "object" && value !== null && "code" in value && typeof value.code === "number";
  return isEnvelope ? (value as Envelope) : undefined;
}
