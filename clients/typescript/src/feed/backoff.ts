/** How long a feed waits between two connections. */
export interface Retry {
  /** The longest wait after the first failure, in milliseconds. It doubles with each failure. Default: 250. */
  firstMs?: number | undefined;
  /** The longest wait at all, in milliseconds. Default: 10 000. */
  mostMs?: number | undefined;
  /** A connection that lasts this long, in milliseconds, makes the waits short again. Default: 5 000. */
  goodMs?: number | undefined;
}

/** Waits that grow, and are random, so that many clients do not come back at the same time. */
export class Backoff {
  readonly #firstMs: number;
  readonly #mostMs: number;
  readonly #goodMs: number;
  readonly #random: () => number;
  #failures = 0;

  constructor({ firstMs = 250, mostMs = 10_000, goodMs = 5_000 }: Retry = {}, random: () => number = Math.random) {
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
    this.#goodMs = goodMs;
    this.#random = random;
  }

  /** The wait after a connection that lasted so long; 0 if it was never open. */
  nextMs(lastedMs: number): number {
    if (lastedMs >= this.#goodMs) {
      this.#failures = 0;
    }
    const longest = Math.min(this.#mostMs, this.#firstMs * 2 ** this.#failures);
    this.#failures += 1;
    return this.#random() * longest;
  }
}

/** Waits, or returns early when the signal is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    if (signal.aborted) {
      end();
    }
  });
}
