import type { Server } from "../server.js";
import type { FileFields } from "./fields.js";
import { type GetOptions, get, type UrlOptions, urlOf } from "./get.js";
import { type FileBody, type PutOptions, put, type Stored } from "./put.js";
import { type ResumableOptions, sendResumable } from "./resumable.js";

export type { FileFields } from "./fields.js";
export type { GetOptions, UrlOptions } from "./get.js";
export type { FileProgress, OnProgress } from "./progress.js";
export type { FileBody, PutOptions, Stored } from "./put.js";
export type { ResumableOptions } from "./resumable.js";

/**
 * Sends and gets the bytes of files. Every method throws `StowageError` if the server refuses, and
 * what `fetch` throws if there is no answer.
 */
export class Files {
  readonly #server: Server;

  /** Use `Stowage.files`. */
  constructor(server: Server) {
    this.#server = server;
  }

  /**
   * Sends a file in one piece. When the promise is fulfilled, the server has all bytes on disk, and
   * a task uploads them to the space.
   */
  put(body: FileBody, fields: FileFields, options: PutOptions = {}): Promise<Stored> {
    return put(this.#server, body, fields, options);
  }

  /**
   * Sends a file in several pieces, and goes on by itself after a lost connection. It needs the
   * package `tus-js-client`.
   */
  resumable(file: Blob, fields: FileFields, options: ResumableOptions = {}): Promise<Stored> {
    return sendResumable(this.#server, file, fields, options);
  }

  /** The address of a file. A server with a token asks for it there, too. */
  url(hash: string, options: UrlOptions = {}): string {
    return urlOf(this.#server, hash, options);
  }

  /** Gets a file, or a part of it. The status is 200, or 206 for a part. */
  get(hash: string, options: GetOptions = {}): Promise<Response> {
    return get(this.#server, hash, options);
  }
}
