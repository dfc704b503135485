import type { components } from "../schema.js";

/** A row of the feed: the latest state of a task. */
export type TaskRow = components["schemas"]["TaskRow"];

/** Which tasks a feed follows. */
export interface Subscription {
  /** 0 uploads, 1 downloads. */
  type: 0 | 1;
  /** 0 message backups, 1 temp files, 2 IM favourites, 3 cloud storage, 4 DAPP. */
  platform: number;
  /**
   * Only tasks in this status. The server tells of no task that leaves it: the feed keeps the last
   * row that matched, until the next snapshot.
   */
  status?: number | null | undefined;
}

/** What changed. */
export interface FeedChange {
  /** The key under which the server knows the subscription. */
  key: string;
  subscription: Subscription;
  /** The latest rows: of all tasks that match in a snapshot, else of those that changed. */
  rows: TaskRow[];
  /** Whether `rows` are all tasks that match. Others are gone. */
  snapshot: boolean;
}

/** A subscription and its key. */
export interface Topic {
  readonly key: string;
  readonly subscription: Subscription;
}

/** The most keys of one connection that a server accepts. */
const MOST_TOPICS = 64;

/**
 * Gives each subscription a key. With several, `key` gets a number for each.
 *
 * @throws TypeError if there are none or too many.
 */
export function topicsOf(subscriptions: Subscription | Subscription[], key = randomKey()): Topic[] {
  const list = Array.isArray(subscriptions) ? subscriptions : [subscriptions];
  if (list.length === 0 || list.length > MOST_TOPICS) {
    throw new TypeError(`subscriptions: expected 1 to ${MOST_TOPICS}, got ${list.length}`);
  }
  return list.map((subscription, index) => ({
    key: list.length === 1 ? key : `${key}-${index + 1}`,
    subscription,
  }));
}

/** A key that nobody else has. `randomUUID` is missing in pages that were not loaded by HTTPS. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `feed-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
