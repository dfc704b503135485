import { setTimeout as delay } from "node:timers/promises";

/** The longest that a test waits for a condition. */
const PATIENCE_MS = 30_000;

/** Asks again and again until there is a value that is not `undefined` and not `false`. */
export async function until<T>(what: string, ask: () => T | Promise<T>): Promise<Exclude<T, undefined | false>> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const value = await ask();
    if (value !== undefined && value !== false) {
      return value as Exclude<T, undefined | false>;
    }
    if (performance.now() > end) {
      throw new Error(`waited ${PATIENCE_MS / 1000} s for ${what}`);
    }
    await delay(10);
  }
}
