/** The calls that were made on this page, in memory. */
import { signal } from "@preact/signals";
import { request } from "../../server";
import type { Operation } from "./description";

/** The most calls that are kept. */
const mostCalls = 20;
/** A larger body is not read, in bytes. */
const largestBody = 32 << 20;
/** Of an answer only this many characters are kept and shown. */
export const mostShown = 400_000;

export interface Answer {
  status: number;
  /** The envelope's code, if the answer has one. */
  code: number | undefined;
  headers: [string, string][];
  /** The body if it is text, else undefined. */
  text: string | undefined;
  /** Bytes of the body. */
  size: number;
  cut: boolean;
}

export interface Made {
  id: number;
  operation: string;
  /** When it was sent, in milliseconds since 1970. */
  at: number;
  url: string;
  method: string;
  body: string | undefined;
  parameters: Readonly<Record<string, string>>;
  /** From the request to the last byte of the answer, in milliseconds. */
  ms: number;
  answer?: Answer;
  /** Why there is no answer. */
  error?: string;
}

export const calls = signal<readonly Made[]>([]);
let last = 0;

export interface Request {
  url: string;
  headers: Record<string, string>;
  body: string | File | undefined;
  parameters: Readonly<Record<string, string>>;
}

/** Sends a call and keeps it. It never throws: what went wrong is in the result. */
export async function send(operation: Operation, what: Request, abort: AbortSignal): Promise<Made> {
  const { url, headers, body, parameters } = what;
  const made: Made = {
    id: ++last,
    operation: operation.id,
    at: Date.now(),
    url,
    method: operation.method,
    body: typeof body === "string" ? body : undefined,
    parameters,
    ms: 0,
  };
  const start = performance.now();
  try {
    const answer = await request(url, { method: operation.method, headers, body: body ?? null, signal: abort });
    made.answer = await read(answer);
  } catch (error) {
    made.error = error instanceof Error ? error.message : String(error);
  }
  made.ms = performance.now() - start;
  calls.value = [made, ...calls.peek()].slice(0, mostCalls);
  return made;
}

async function read(answer: Response): Promise<Answer> {
  const length = Number(answer.headers.get("content-length") ?? 0);
  if (length > largestBody) {
    await answer.body?.cancel();
    const { status } = answer;
    return { status, code: undefined, headers: [...answer.headers], text: undefined, size: length, cut: false };
  }
  const content = new Uint8Array(await answer.arrayBuffer());
  const type = answer.headers.get("content-type") ?? "";
  const isText = /json|^text\/|xml/.test(type);
  const text = isText ? new TextDecoder().decode(content) : undefined;
  return {
    status: answer.status,
    code: codeOf(text),
    headers: [...answer.headers],
    text: text?.slice(0, mostShown),
    size: content.length,
    cut: (text?.length ?? 0) > mostShown,
  };
}

/** The envelope begins with its code, so a long answer is not read as a whole. */
function codeOf(text: string | undefined): number | undefined {
  const found = /^\s*\{\s*"code"\s*:\s*(-?\d+)/.exec(text ?? "");
  return found ? Number(found[1]) : undefined;
}
