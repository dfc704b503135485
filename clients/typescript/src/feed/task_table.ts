import type { FeedChange, TaskRow, Topic } from "./subscription.js";

/** The latest state of each task, over all subscriptions of a feed. */
export class TaskTable {
  /** The rows by task identifier. */
  readonly rows = new Map<string, TaskRow>();
  /** The tasks of each key. A key without a snapshot is absent. */
  readonly #tasksOfKey = new Map<string, Set<string>>();

  /** Takes a change over. */
  apply({ key, rows, snapshot }: FeedChange): void {
    const before = this.#tasksOfKey.get(key);
    const after = before === undefined || snapshot ? new Set<string>() : before;
    this.#tasksOfKey.set(key, after);
    for (const row of rows) {
      after.add(row.taskId);
      this.rows.set(row.taskId, row);
    }
    if (before !== undefined && before !== after) {
      for (const task of before) {
        // Two subscriptions may have the same task.
        if (![...this.#tasksOfKey.values()].some((tasks) => tasks.has(task))) {
          this.rows.delete(task);
        }
      }
    }
  }

  /** The present state of a topic as a snapshot. `undefined` before its first one. */
  snapshot({ key, subscription }: Topic): FeedChange | undefined {
    const tasks = this.#tasksOfKey.get(key);
    if (tasks === undefined) {
      return undefined;
    }
    const rows = [...tasks].map((task) => this.rows.get(task)).filter((row) => row !== undefined);
    return { key, subscription, rows, snapshot: true };
  }
}
