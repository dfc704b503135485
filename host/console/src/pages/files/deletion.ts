/**
 * Deleting with a way back. The API brings nothing back: with the last row that names it, a blob is
 * gone. So a deletion waits a few seconds, the rows are marked, and "Undo" takes the order back.
 * It is sent at once when the page is closed or hidden for good.
 */
import { signal } from "@preact/signals";
import type { Entry } from "./entry";
import { largestPage } from "./paged";
import type { Section } from "./section";

/** How long a deletion waits, in milliseconds. */
export const patience = 7000;

interface Order {
  section: Section;
  entries: readonly Entry[];
  timer: ReturnType<typeof setTimeout>;
  sent: boolean;
  /** Is told that they are gone, or why not. The marks stay until it is done. */
  done: (error?: unknown) => void | Promise<void>;
}

const orders = new Set<Order>();
/** The keys of the rows that are about to go. */
export const doomed = signal<ReadonlySet<string>>(new Set());

function mark() {
  doomed.value = new Set([...orders].flatMap((order) => order.entries.map((entry) => entry.key)));
}

/**
 * Deletes at most 1000 entries after a while. `done` is called when they are gone, or with why they
 * are not. Returns a function that takes the order back.
 */
export function deleteLater(section: Section, entries: readonly Entry[], done: Order["done"]): () => void {
  // What is sent while the page is closed has at most 64 KiB, about 1000 identities.
  const waiting = [...orders].reduce((sum, order) => sum + order.entries.length, 0);
  if (waiting + entries.length > largestPage) for (const order of orders) void send(order);
  const order: Order = { section, entries, done, sent: false, timer: setTimeout(() => void send(order), patience) };
  orders.add(order);
  mark();
  return () => {
    clearTimeout(order.timer);
    if (!order.sent && orders.delete(order)) mark();
  };
}

async function send(order: Order) {
  clearTimeout(order.timer);
  if (!orders.has(order) || order.sent) return;
  order.sent = true;
  let failed: unknown;
  try {
    await order.section.delete(order.entries);
  } catch (error) {
    failed = error;
  }
  await order.done(failed);
  orders.delete(order);
  mark();
}

/** A page that is closed sends what waits. Call it once. */
export function sendAtTheEnd() {
  addEventListener("pagehide", () => {
    for (const order of orders) void send(order);
  });
}
