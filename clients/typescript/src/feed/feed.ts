// `AsyncDisposable`, also in the types of applications that target an older standard.
/// <reference lib="esnext.disposable" preserve="true" />
import { StowageError } from "../error.js";
import type { Server } from "../server.js";
import { Backoff, pause, type Retry } from "./backoff.js";
import { follow, type Gap } from "./connection.js";
import { Reader } from "./reader.js";
import { type FeedChange, type Subscription, type TaskRow, type Topic, topicsOf } from "./subscription.js";
import { TaskTable } from "./task_table.js";

export type { Gap } from "./connection.js";

/**
 * `connecting`: the first connection, or the next one, is made. `open`: changes come. `waiting`:
 * the connection was lost, and the next one is made soon. `closed`: the end.
 */
export type FeedState = "connecting" | "open" | "waiting" | "closed";

/** The events of a feed. */
export interface FeedEvents {
  change: CustomEvent<FeedChange>;
  state: CustomEvent<FeedState>;
  /** Frames were lost. A new snapshot follows. */
  gap: CustomEvent<Gap>;
}

/** How a feed behaves. */
export interface FeedOptions {
  /**
   * The name of the subscription on the server, 1 to 120 characters. It belongs to one feed at a
   * time. The default is random.
   */
  key?: string | undefined;
  /** Closes the feed. */
  signal?: AbortSignal | undefined;
  /** How long it waits between two connections. */
  retry?: Retry | undefined;
}

/**
 * Follows transfers. It connects again until it is closed, or until the server refuses it for a
 * reason that no later attempt can change: a wrong token, a wrong parameter.
 *
 * There are two forms: events, and a loop (`for await`). Leaving the loop closes the feed.
 */
export class Feed extends EventTarget implements AsyncIterable<FeedChange>, AsyncDisposable {
  readonly #server: Server;
  readonly #topics: readonly Topic[];
  readonly #table = new TaskTable();
  readonly #readers = new Set<Reader>();
  readonly #closing = new AbortController();
  readonly #ended: Promise<void>;
  #state: FeedState = "connecting";
  #error: unknown;

  /** Use `Stowage.feed`. */
  constructor(server: Server, subscriptions: Subscription | Subscription[], options: FeedOptions) {
    super();
    this.#server = server;
    this.#topics = topicsOf(subscriptions, options.key);
    server.requireWebSocket();
    const { signal } = options;
    const close = () => this.close();
    signal?.addEventListener("abort", close, { once: true, signal: this.#closing.signal });
    if (signal?.aborted) {
      this.#closing.abort();
    }
    // Later, so that the owner can add listeners before the first event.
    this.#ended = Promise.resolve().then(() => this.#run(new Backoff(options.retry)));
  }

  /** The latest state of each task, by `taskId`. It stays readable while the connection is lost. */
  get tasks(): ReadonlyMap<string, TaskRow> {
    return this.#table.rows;
  }

  get state(): FeedState {
    return this.#state;
  }

  /** Why the last connection ended, or why the feed is closed. `undefined` after `close()`. */
  get error(): unknown {
    return this.#error;
  }

  /** Ends the feed. Loops over it end, too. */
  close(): void {
    this.#closing.abort();
    this.#end(undefined);
  }

  /** Ends the feed, and waits until nothing of it runs any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#ended;
  }

  /** A loop over the changes. Leaving it closes the feed. */
  [Symbol.asyncIterator](): Reader {
    return this.#reader(() => this.close());
  }

  /** A loop over the changes. Leaving it does not close the feed. */
  changes(): Reader {
    return this.#reader(() => {});
  }

  override addEventListener<K extends keyof FeedEvents>(
    type: K,
    listener: ((event: FeedEvents[K]) => void) | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  override addEventListener(type: string, listener: unknown, options?: boolean | AddEventListenerOptions): void {
    super.addEventListener(type, listener as EventListener, options);
  }

  /** A new loop. It begins with what the feed knows already. */
  #reader(onReturn: () => void): Reader {
    const reader: Reader = new Reader(() => {
      this.#readers.delete(reader);
      onReturn();
    });
    for (const topic of this.#topics) {
      const known = this.#table.snapshot(topic);
      if (known !== undefined) {
        reader.push(known);
      }
    }
    if (this.#state === "closed") {
      reader.end(this.#error);
    } else {
      this.#readers.add(reader);
    }
    return reader;
  }

  async #run(backoff: Backoff): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.#enter("connecting");
      const { error, lastedMs } = await this.#connect(signal);
      if (signal.aborted) {
        break;
      }
      if (!canPass(error)) {
        this.#end(error);
        return;
      }
      this.#error = error;
      this.#enter("waiting");
      await pause(backoff.nextMs(lastedMs), signal);
    }
    this.#end(undefined);
  }

  /** One connection, until it ends: why, and how long it was open. */
  async #connect(signal: AbortSignal): Promise<{ error: unknown; lastedMs: number }> {
    let openedAt: number | undefined;
    // Each attempt has a signal of its own: `fetch` leaves listeners at the signals that it gets.
    const attempt = new AbortController();
    const abort = () => attempt.abort();
    signal.addEventListener("abort", abort);
    const ended = follow(this.#server, this.#topics, attempt.signal, {
      opened: () => {
        openedAt = performance.now();
        this.#enter("open");
      },
      frame: ({ key, subscription }, { rows, seq }) => this.#change({ key, subscription, rows, snapshot: seq === 1 }),
      gap: (gap) => this.dispatchEvent(new CustomEvent("gap", { detail: gap })),
    });
    const error = await ended.catch((error: unknown) => error);
    signal.removeEventListener("abort", abort);
    // Ends what is left: other subscriptions, after one has failed.
    attempt.abort();
    return { error, lastedMs: openedAt === undefined ? 0 : performance.now() - openedAt };
  }

  #change(change: FeedChange): void {
    this.#table.apply(change);
    for (const reader of this.#readers) {
      reader.push(change);
    }
    this.dispatchEvent(new CustomEvent("change", { detail: change }));
  }

  #end(error: unknown): void {
    if (this.#state === "closed") {
      return;
    }
    this.#error = error;
    this.#enter("closed");
    for (const reader of this.#readers) {
      reader.end(error);
    }
    this.#readers.clear();
    this.#closing.abort();
  }

  #enter(state: FeedState): void {
    // After the end nothing more is told.
    if (this.#state !== "closed" && this.#state !== state) {
      this.#state = state;
      this.dispatchEvent(new CustomEvent("state", { detail: state }));
    }
  }
}

/**
 * Whether a later attempt can succeed. A `TypeError` of `fetch` is a lost connection. A token that a
 * websocket cannot carry stays wrong.
 */
function canPass(error: unknown): boolean {
  if (error instanceof StowageError) {
    return error.isTemporary;
  }
  return !(error instanceof Error && error.name === "SyntaxError");
}
