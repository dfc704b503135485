/** Changes of tasks by the methods of `transferApi`. */
import type { TaskRow } from "stowage-client";
import { stowage } from "../server";
import { forget } from "./feed";
import { type Action, allows } from "./phase";

/** The most tasks that one call may name. */
const most = 1000;

const methods = {
  pause: "transferApi/pauseTask",
  resume: "transferApi/resumeTask",
  cancel: "transferApi/cancelTask",
  retry: "transferApi/retryTask",
  remove: "transferApi/removeTask",
} as const;

export type SimpleAction = keyof typeof methods;

/** Changes those of the tasks that allow it. Returns how many. */
export async function change(action: SimpleAction, rows: readonly TaskRow[]): Promise<number> {
  const fit = rows.filter((row) => allows(row, action));
  for (const part of parts(fit)) {
    await stowage.call(methods[action], { taskIds: part.map((row) => row.taskId) });
    if (action === "remove") forget(part);
  }
  return fit.length;
}

/** `priority` is 0 to 9. */
export async function setPriority(rows: readonly TaskRow[], priority: number): Promise<void> {
  for (const part of parts(rows.filter((row) => allows(row, "priority")))) {
    await stowage.call("transferApi/setTaskPriority", { taskIds: part.map((row) => row.taskId), priority });
  }
}

/** 0 means no limit. */
export async function setLimit(rows: readonly TaskRow[], bytesPerSecond: number): Promise<void> {
  for (const part of parts(rows.filter((row) => allows(row, "limit")))) {
    await stowage.call("transferApi/setTaskLimit", { taskIds: part.map((row) => row.taskId), bytesPerSecond });
  }
}

/** Goes on with the download of a protected file. The password stays in the memory of the server. */
export async function givePassword(row: TaskRow, filePassword: string): Promise<void> {
  const { hash, shareIndex: platform, taskId } = row;
  await stowage.call("downloadStorageFileTask", { hash, platform, taskId, filePassword });
}

/** Tells the server that a person has seen these tasks. Until then it warns of failed ones. */
export async function markSeen(rows: readonly TaskRow[]): Promise<void> {
  for (const part of parts(rows)) {
    await stowage.call("transferApi/markTaskViewed", { taskIds: part.map((row) => row.taskId) });
  }
}

/** How many actions of a kind the tasks allow. */
export function countAllowed(rows: readonly TaskRow[], action: Action): number {
  return rows.reduce((count, row) => count + (allows(row, action) ? 1 : 0), 0);
}

function* parts(rows: readonly TaskRow[]): Generator<readonly TaskRow[]> {
  for (let at = 0; at < rows.length; at += most) yield rows.slice(at, at + most);
}
