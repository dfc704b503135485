import { dataOf } from "../envelope.js";
import type { Server } from "../server.js";
import { passwordHeader } from "./fields.js";
import { counted, type OnProgress } from "./progress.js";

/** Where a file is looked for. */
export interface UrlOptions {
  /** Only in this platform. */
  platform?: number | undefined;
}

/** How a file is read. */
export interface GetOptions extends UrlOptions {
  /** A part of the file: from byte `start` to the byte before `end`, or to the last one. */
  range?: { start: number; end?: number | undefined } | undefined;
  /** Opens a protected file. It is always sent as a whole. */
  password?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Is told while the body of the response is read. */
  onProgress?: OnProgress | undefined;
}

/** The URL of a file. */
export function urlOf(server: Server, hash: string, { platform }: UrlOptions): string {
  const query = platform === undefined ? "" : `?platform=${platform}`;
  return server.url(`/files/${encodeURIComponent(hash)}${query}`);
}

/** Reads a file, or a part of it. */
export async function get(server: Server, hash: string, options: GetOptions): Promise<Response> {
  const { range, password, signal, onProgress } = options;
  const headers = { ...server.headers(), ...passwordHeader(password) };
  if (range !== undefined) {
    headers["range"] = rangeHeader(range);
  }
  const response = await server.fetch(urlOf(server, hash, options), { headers, signal: signal ?? null });
  if (!response.ok) {
    dataOf("GET /files/HASH", response.status, await response.text());
  }
  if (onProgress === undefined || response.body === null) {
    return response;
  }
  const length = response.headers.get("content-length");
  const total = length === null ? null : Number(length);
  // `Response` keeps neither URL nor redirects. Nobody needs them here.
  const { status, statusText, headers: answered } = response;
  return new Response(counted(response.body, total, onProgress), { status, statusText, headers: answered });
}

/** The last byte of the header is included in the part. */
function rangeHeader({ start, end }: { start: number; end?: number | undefined }): string {
  if (!isOffset(start) || (end !== undefined && (!isOffset(end) || end <= start))) {
    throw new RangeError(`range: expected whole numbers, 0 <= start < end, got ${start} and ${end ?? "no end"}`);
  }
  return `bytes=${start}-${end === undefined ? "" : end - 1}`;
}

function isOffset(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
