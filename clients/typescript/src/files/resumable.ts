import type { DetailedError, HttpResponse, Upload, UploadOptions } from "tus-js-client";
import { dataOf } from "../envelope.js";
import { StowageError } from "../error.js";
import type { Server } from "../server.js";
import { type FileFields, passwordHeader, textsOf } from "./fields.js";
import type { PutOptions, Stored } from "./put.js";

/** How a file is sent in several pieces. */
export interface ResumableOptions extends PutOptions {
  /** The waits before each attempt to go on, in milliseconds. They begin anew after each success. */
  retryDelaysMs?: number[] | undefined;
}

const METHOD = "tus /files/uploads";

/** About 40 s: the server may be restarted under an upload. */
const RETRY_DELAYS_MS = [100, 1000, 3000, 5000, 10_000, 20_000];

/** Node reads a piece into memory before it is sent. A browser sends a blob from where it is. */
const NODE_PIECE_BYTES = 8 << 20;

/**
 * Sends a file with tus 1.0. After a lost connection the upload goes on where the server's durable
 * bytes end. In a browser, the same file with the same fields also goes on after the page was closed.
 */
export async function sendResumable(
  server: Server,
  file: Blob,
  fields: FileFields,
  options: ResumableOptions,
): Promise<Stored> {
  const tus = await loadTus();
  const { signal, password, onProgress } = options;
  signal?.throwIfAborted();
  const metadata = textsOf(fields, file);
  const settings: UploadOptions = {
    endpoint: server.url("/files/uploads"),
    metadata,
    headers: passwordHeader(password),
    retryDelays: options.retryDelaysMs ?? RETRY_DELAYS_MS,
    removeFingerprintOnSuccess: true,
    onShouldRetry: (error) => canPass(errorOf(error)),
    fingerprint: () => Promise.resolve(fingerprint(server, file, metadata, password !== undefined)),
    onBeforeRequest: (request) => {
      for (const [name, value] of Object.entries(server.headers())) {
        request.setHeader(name, value);
      }
    },
    onProgress: (loaded, total) => onProgress?.({ loaded, total }),
  };
  if (typeof XMLHttpRequest === "undefined") {
    settings.chunkSize = NODE_PIECE_BYTES;
    settings.fileReader = { openFile: (blob: Blob) => Promise.resolve(new BlobSource(blob)) };
  }
  const response = await run((callbacks) => new tus.Upload(file, { ...settings, ...callbacks }), signal);
  onProgress?.({ loaded: file.size, total: file.size });
  const [hash, taskId] = [response.getHeader("stowage-hash"), response.getHeader("stowage-task-id")];
  if (hash === undefined || taskId === undefined) {
    throw new StowageError(0, response.getStatus(), METHOD, "the last answer has no Stowage-Hash");
  }
  return { taskId, hash };
}

/** Starts an upload, after an earlier one of the same file, and waits for its last answer. */
function run(
  begin: (callbacks: Pick<UploadOptions, "onSuccess" | "onError">) => Upload,
  signal: AbortSignal | undefined,
): Promise<HttpResponse> {
  return new Promise<HttpResponse>((resolve, reject) => {
    const upload = begin({
      onSuccess: ({ lastResponse }) => resolve(lastResponse),
      onError: (error) => reject(errorOf(error)),
    });
    signal?.addEventListener("abort", () => {
      // The bytes stay on the server for a day, so that the upload can go on.
      upload.abort().catch(() => {});
      reject(signal.reason);
    });
    upload.findPreviousUploads().then((earlier) => {
      const [latest] = earlier;
      if (latest !== undefined) {
        upload.resumeFromPreviousUpload(latest);
      }
      if (!signal?.aborted) {
        upload.start();
      }
    }, reject);
  });
}

/** The same file for the same place. */
function fingerprint(server: Server, file: Blob, metadata: Record<string, string>, isProtected: boolean): string {
  const changed = "lastModified" in file ? file.lastModified : 0;
  return `stowage-${JSON.stringify([server.base, file.size, changed, metadata, isProtected])}`;
}

/** Whether the upload can go on. A browser that is offline still reaches a server on its machine. */
function canPass(error: Error): boolean {
  if (!(error instanceof StowageError)) {
    return true;
  }
  // Another offset than the server's: the next attempt asks for it.
  const isOffset = error.status === 409 && error.code === 700;
  return isOffset || error.isTemporary;
}

/** The answer of the server, if there is one. */
function errorOf(error: Error | DetailedError): Error {
  const response = "originalResponse" in error ? error.originalResponse : null;
  if (response === null || response === undefined) {
    return error;
  }
  const code = Number(response.getHeader("stowage-code") ?? "");
  if (response.getBody() === "" && code > 0) {
    // The answer to a HEAD has no body.
    return new StowageError(code, response.getStatus(), METHOD, "the server refuses to go on");
  }
  try {
    dataOf(METHOD, response.getStatus(), response.getBody());
  } catch (refused) {
    return refused as Error;
  }
  return error;
}

/** The library reads no blobs in Node. */
class BlobSource {
  readonly #blob: Blob;

  constructor(blob: Blob) {
    this.#blob = blob;
  }

  get size(): number {
    return this.#blob.size;
  }

  async slice(start: number, end: number): Promise<{ value: Uint8Array & { size?: number }; done: boolean }> {
    const value: Uint8Array & { size?: number } = new Uint8Array(await this.#blob.slice(start, end).arrayBuffer());
    // The library's name for the length of a piece.
    value.size = value.byteLength;
    return { value, done: end >= this.#blob.size };
  }

  close(): void {}
}

async function loadTus(): Promise<typeof import("tus-js-client")> {
  try {
    return await import("tus-js-client");
  } catch (error) {
    throw new Error('files.resumable needs the package "tus-js-client": npm install tus-js-client', { cause: error });
  }
}
