/** The calls of the last five minutes, one entry a second without gaps. */
import type { Second } from "../../admin";

/** How many seconds are kept. */
export const span = 300;

/** Adds newer seconds. What is older than the span before the newest one is dropped. */
export function merge(old: readonly Second[], fresh: readonly Second[]): Second[] {
  const bySecond = new Map<number, Second>();
  for (const second of [...old, ...fresh]) bySecond.set(second.at, second);
  const newest = Math.max(0, ...bySecond.keys());
  return [...bySecond.values()].filter(({ at }) => at > newest - span).sort((a, b) => a.at - b.at);
}

/** A second without calls may be absent. `until` is the newest second that is over. */
export function filled(seconds: readonly Second[], until: number): Second[] {
  const bySecond = new Map(seconds.map((second) => [second.at, second]));
  return Array.from({ length: span }, (_, n) => {
    const at = until - span + 1 + n;
    return bySecond.get(at) ?? { at, calls: 0, failed: 0, p50Us: null, p99Us: null };
  });
}

export interface Recent {
  /** Calls a second. */
  rate: number;
  failed: number;
  /** The worst values, or null without calls. */
  p50Us: number | null;
  p99Us: number | null;
}

/** The last ten seconds in numbers that a person can read before they change. */
export function recent(seconds: readonly Second[], length = 10): Recent {
  const last = seconds.slice(-length);
  const worst = (pick: (second: Second) => number | null) => {
    const values = last.map(pick).filter((value) => value !== null);
    return values.length > 0 ? Math.max(...values) : null;
  };
  const sum = (pick: (second: Second) => number) => last.reduce((total, second) => total + pick(second), 0);
  return {
    rate: last.length > 0 ? sum((second) => second.calls) / last.length : 0,
    failed: sum((second) => second.failed),
    p50Us: worst((second) => second.p50Us),
    p99Us: worst((second) => second.p99Us),
  };
}
