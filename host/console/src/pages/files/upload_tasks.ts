/** What the server's feed says about uploads, while somebody looks at files. */
import { signal } from "@preact/signals";
import type { Feed, TaskRow } from "stowage-client";
import { stowage } from "../../server";
import { platforms } from "./entry";

/** The latest rows of uploads, by task. */
export const uploadTasks = new Map<string, TaskRow>();
/** Grows, for each platform, when an upload has brought a row. */
export const arrivals = signal<Readonly<Record<number, number>>>({});

const success = 1;
let feed: Feed | undefined;
let users = 0;

/** Follows the feed until the returned function is called. */
export function followUploads(onRow: (row: TaskRow) => void): () => void {
  users++;
  feed ??= open();
  const current = feed;
  const listener = (event: CustomEvent<{ rows: TaskRow[] }>) => event.detail.rows.forEach(onRow);
  current.addEventListener("change", listener);
  return () => {
    current.removeEventListener("change", listener as EventListener);
    users--;
    if (users > 0) return;
    feed?.close();
    feed = undefined;
    uploadTasks.clear();
  };
}

function open(): Feed {
  const subscriptions = Object.values(platforms).map((platform) => ({ type: 0 as const, platform }));
  const made = stowage.feed(subscriptions);
  made.addEventListener("change", ({ detail: { rows, snapshot } }) => {
    const arrived = new Set<number>();
    for (const row of rows) {
      const before = uploadTasks.get(row.taskId)?.status;
      // A snapshot after a lost connection may have news, the first one has none.
      if (row.status === success && before !== success && (before !== undefined || !snapshot)) {
        arrived.add(row.shareIndex);
      }
      uploadTasks.set(row.taskId, row);
    }
    if (arrived.size === 0) return;
    const next = { ...arrivals.peek() };
    for (const platform of arrived) next[platform] = (next[platform] ?? 0) + 1;
    arrivals.value = next;
  });
  return made;
}
