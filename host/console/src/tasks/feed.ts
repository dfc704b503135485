/** The tasks of transfers as the server sees them now, by the websocket. */
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import type { FeedState, Subscription, TaskRow } from "stowage-client";
import { comebacks } from "../connection";
import { stowage } from "../server";

const platforms = [0, 1, 2, 3, 4];

/** All tasks that the server keeps: those that are not finished, and the last 10,000 others. */
export const allTasks: Subscription[] = platforms.flatMap((platform) => [
  { type: 0, platform },
  { type: 1, platform },
]);

/** The tasks that bring bytes now. The server also tells when one of them stops. */
export const runningTasks: Subscription[] = platforms.flatMap((platform) => [
  { type: 0, platform, status: 2 },
  { type: 1, platform, status: 1 },
]);

/**
 * The numbers of tasks that were removed here. The feed says nothing when an ended task is removed,
 * and sends a last row when another one is.
 */
const removed = signal<ReadonlySet<number>>(new Set());

export function forget(rows: readonly TaskRow[]) {
  removed.value = new Set([...removed.peek(), ...rows.map((row) => row.id)]);
}

export interface Tasks {
  /** Newest first. */
  rows: readonly TaskRow[];
  /** Whether the first snapshots are there. */
  ready: boolean;
  state: FeedState;
  /** Why the feed ended for good. */
  error: unknown;
}

/** Follows tasks while the component is shown. `subscriptions` must be one of the constants above. */
export function useTasks(subscriptions: Subscription[]): Tasks {
  const [tasks, setTasks] = useState<Tasks>({ rows: [], ready: false, state: "connecting", error: undefined });
  const gone = removed.value;
  // A server that is back is connected at once, without the rest of the feed's own wait.
  const back = comebacks.value;

  // `back` asks for a new feed.
  useEffect(() => {
    const feed = stowage.feed(subscriptions);
    const snapshots = new Set<string>();
    let frame = 0;
    // Many frames come at once. One picture of the screen shows them all.
    const show = () => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        const ready = snapshots.size === subscriptions.length;
        setTasks((old) => ({
          rows: ready ? [...feed.tasks.values()].sort((a, b) => b.id - a.id) : old.rows,
          ready: ready || old.ready,
          state: feed.state,
          error: feed.state === "closed" ? feed.error : undefined,
        }));
      });
    };
    feed.addEventListener("change", ({ detail }) => {
      if (detail.snapshot) snapshots.add(detail.key);
      show();
    });
    feed.addEventListener("state", show);
    return () => {
      cancelAnimationFrame(frame);
      feed.close();
    };
  }, [subscriptions, back]);

  if (!tasks.rows.some((row) => gone.has(row.id))) return tasks;
  return { ...tasks, rows: tasks.rows.filter((row) => !gone.has(row.id)) };
}
