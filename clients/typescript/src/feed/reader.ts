import type { FeedChange, Subscription, TaskRow } from "./subscription.js";

/** The changes of a key that were not read yet. A later row of a task replaces an earlier one. */
interface Unread {
  subscription: Subscription;
  rows: Map<string, TaskRow>;
  snapshot: boolean;
}

type Result = IteratorResult<FeedChange, undefined>;

/**
 * One loop over the changes of a feed. It has no queue: a slow loop gets the latest state of each
 * task, and not every state between. So its memory is bounded by the number of tasks.
 */
export class Reader implements AsyncIterableIterator<FeedChange, undefined> {
  /** By key, in the order in which they are read. */
  readonly #unread = new Map<string, Unread>();
  /** Calls of `next` that wait for a change. There are none while something is unread. */
  readonly #waiting: { resolve: (result: Result) => void; reject: (error: unknown) => void }[] = [];
  readonly #onReturn: () => void;
  #ended = false;
  #error: unknown;

  /** @param onReturn Called when the loop is left. */
  constructor(onReturn: () => void) {
    this.#onReturn = onReturn;
  }

  /** Adds a change. */
  push({ key, subscription, rows, snapshot }: FeedChange): void {
    const earlier = this.#unread.get(key);
    const unread: Unread = earlier === undefined || snapshot ? { subscription, rows: new Map(), snapshot } : earlier;
    for (const row of rows) {
      unread.rows.set(row.taskId, row);
    }
    this.#unread.set(key, unread);
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next.resolve(this.#take() as Result);
    }
  }

  /** Ends the loop, with an error if one is given. What is unread is still read. */
  end(error?: unknown): void {
    if (this.#ended) {
      return;
    }
    this.#ended = true;
    this.#error = error;
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      this.#finish(resolve, reject);
    }
  }

  next(): Promise<Result> {
    const taken = this.#take();
    if (taken !== undefined) {
      return Promise.resolve(taken);
    }
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        this.#finish(resolve, reject);
      } else {
        this.#waiting.push({ resolve, reject });
      }
    });
  }

  /** Leaves the loop. */
  return(): Promise<Result> {
    this.#unread.clear();
    this.end();
    this.#error = undefined;
    this.#onReturn();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(): Result | undefined {
    for (const [key, { subscription, rows, snapshot }] of this.#unread) {
      this.#unread.delete(key);
      return { done: false, value: { key, subscription, rows: [...rows.values()], snapshot } };
    }
    return undefined;
  }

  /** Tells the error once. After that the loop is at its end. */
  #finish(resolve: (result: Result) => void, reject: (error: unknown) => void): void {
    const error = this.#error;
    this.#error = undefined;
    if (error === undefined) {
      resolve({ done: true, value: undefined });
    } else {
      reject(error);
    }
  }
}
