import { setTimeout as pause } from "node:timers/promises";

/** The longest that a test waits for a condition, in milliseconds. */
export const patience = 30_000;

/** Asks again and again until the answer is not false, null or undefined. */
export async function until<T>(what: string, ask: () => T | Promise<T>): Promise<NonNullable<T>> {
  const end = performance.now() + patience;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > end) throw new Error(`waited ${patience / 1000} s for ${what}`);
    await pause(20);
  }
}
