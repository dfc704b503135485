/** What the numbers of a task's row mean. docs/transfers.md has the tables. */
import type { TaskRow } from "stowage-client";

/**
 * `waiting`: it begins or goes on by itself. `paused`: a person must do something. `gone`: it was
 * complete, and its file was deleted or changed since.
 */
export type Phase = "running" | "waiting" | "paused" | "failed" | "done" | "gone";

const uploads: Record<number, Phase> = {
  [-1]: "waiting",
  0: "waiting",
  1: "done",
  2: "running",
  3: "failed",
  4: "paused",
  5: "failed",
};

const downloads: Record<number, Phase> = {
  [-1]: "waiting",
  0: "failed",
  1: "running",
  2: "paused",
  3: "gone",
  4: "done",
  5: "failed",
};

/** A status that this console does not know is a task that waits. */
export function phaseOf({ type, status, code }: Pick<TaskRow, "type" | "status" | "code">): Phase {
  const phase = (type === 0 ? uploads : downloads)[status] ?? "waiting";
  // 503: the next attempt comes by itself. 507: the download goes on when the disk has room.
  if (phase === "paused" && (code === 503 || code === 507)) return "waiting";
  return phase;
}

export function isActive(phase: Phase): boolean {
  return phase === "running" || phase === "waiting" || phase === "paused";
}

/** The password of a protected file is needed before the download can go on. */
export function needsPassword(row: TaskRow): boolean {
  return row.type === 1 && row.code === 60004;
}

export type Action = "pause" | "resume" | "cancel" | "retry" | "remove" | "priority" | "limit";

/** What can be done with a task in each phase. */
const actions: Record<Phase, readonly Action[]> = {
  running: ["pause", "cancel", "priority", "limit"],
  waiting: ["pause", "cancel", "priority", "limit"],
  paused: ["resume", "cancel", "priority", "limit"],
  failed: ["retry", "remove"],
  gone: ["retry", "remove"],
  done: ["remove"],
};

export function allows(row: TaskRow, action: Action): boolean {
  const phase = phaseOf(row);
  // A task that waits for its next attempt can start it now.
  if (action === "resume" && phase === "waiting") return row.code === 503 || row.code === 507;
  return actions[phase].includes(action);
}
