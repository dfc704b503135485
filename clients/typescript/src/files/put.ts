import { dataOf } from "../envelope.js";
import type { Server } from "../server.js";
import { type FileFields, passwordHeader, textsOf } from "./fields.js";
import { counted, type OnProgress } from "./progress.js";

/** The bytes of a file. */
export type FileBody = Blob | ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer> | string;

/** A file that the server has. */
export interface Stored {
  /** The task that uploads it to the space. The feed shows it. */
  taskId: string;
  /** Base58 of the SHA-256 of the stored bytes. */
  hash: string;
}

/** How a file is sent. */
export interface PutOptions {
  signal?: AbortSignal | undefined;
  onProgress?: OnProgress | undefined;
  /** Encrypts the file. Later it can be read with this password only. */
  password?: string | undefined;
}

/** The name of the request in error messages. */
const METHOD = "PUT /files";

/** The answer to a request: its status and its text. */
interface Answer {
  status: number;
  text: string;
}

/** Sends a file in one piece. */
export async function put(server: Server, body: FileBody, fields: FileFields, options: PutOptions): Promise<Stored> {
  const url = server.url(`/files?${new URLSearchParams(textsOf(fields, body))}`);
  const headers = {
    "content-type": "application/octet-stream",
    ...server.headers(),
    ...passwordHeader(options.password),
  };
  const answer = await send(server, url, headers, body, options);
  return dataOf(METHOD, answer.status, answer.text) as Stored;
}

/**
 * Browsers tell the progress of an upload only with `XMLHttpRequest`: their `fetch` sends no stream
 * over HTTP/1.1, which is what a local server speaks. Other platforms have no `XMLHttpRequest`, but
 * their `fetch` sends streams.
 */
async function send(
  server: Server,
  url: string,
  headers: Record<string, string>,
  body: FileBody,
  { signal, onProgress }: PutOptions,
): Promise<Answer> {
  const isBrowser = typeof XMLHttpRequest !== "undefined";
  let content: FileBody = body;
  if (isBrowser && content instanceof ReadableStream) {
    // A browser keeps a large blob on disk.
    content = await new Response(content).blob();
  }
  if (isBrowser && onProgress !== undefined && !server.hasOwnFetch) {
    return sendWithXhr(url, headers, content as XMLHttpRequestBodyInit, onProgress, signal);
  }
  if (content instanceof ReadableStream || (onProgress !== undefined && !isBrowser)) {
    const stream = content instanceof ReadableStream ? content : new Response(content).body;
    content = stream === null ? content : counted(stream, sizeOf(content), onProgress, signal);
  }
  const init: RequestInit & { duplex?: "half" } = { method: "PUT", headers, body: content, signal: signal ?? null };
  if (content instanceof ReadableStream) {
    // The answer comes after the last byte. The standard requires to say so.
    init.duplex = "half";
  }
  const response = await server.fetch(url, init);
  return { status: response.status, text: await response.text() };
}

/** The bytes of a body, if they are known before it is sent. */
function sizeOf(body: FileBody): number | null {
  if (body instanceof ReadableStream) {
    return null;
  }
  if (typeof body === "string") {
    return new TextEncoder().encode(body).byteLength;
  }
  return body instanceof Blob ? body.size : body.byteLength;
}

function sendWithXhr(
  url: string,
  headers: Record<string, string>,
  body: XMLHttpRequestBodyInit,
  onProgress: OnProgress,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers)) {
      request.setRequestHeader(name, value);
    }
    const aborted = () => request.abort();
    signal?.addEventListener("abort", aborted);
    request.upload.onprogress = ({ loaded, total, lengthComputable }) =>
      onProgress({ loaded, total: lengthComputable ? total : null });
    request.onload = () => resolve({ status: request.status, text: request.responseText });
    // The same error as that of `fetch`.
    request.onerror = () => reject(new TypeError("Failed to send the file: the connection was lost or refused"));
    request.onabort = () => reject(signal?.reason ?? new DOMException("The request was aborted", "AbortError"));
    request.onloadend = () => signal?.removeEventListener("abort", aborted);
    request.send(body);
  });
}
