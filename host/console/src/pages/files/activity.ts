/** The uploads and downloads of this tab: what waits, runs, failed or is done. */
import { signal } from "@preact/signals";
import type { FileFields, FileProgress, TaskRow } from "stowage-client";
import { reasonOf } from "../../reason";
import { files, stowage } from "../../server";
import { saveAs } from "./save";
import { followUploads, uploadTasks } from "./upload_tasks";

/** Larger files are sent in pieces, so that they go on after a broken connection. In bytes. */
const onePiece = 16 << 20;
const mostUploads = 3;

export type ActivityState =
  | "waiting"
  | "running"
  /** The server has the bytes and brings them to the space. */
  | "storing"
  | "done"
  | "failed"
  | "cancelled";

export interface Activity {
  id: number;
  kind: "upload" | "download";
  name: string;
  state: ActivityState;
  loaded: number;
  /** In bytes. `null` while nobody knows it. */
  total: number | null;
  /** Why it failed: a message, or the code of the server's task. */
  error?: string;
  code?: number;
  /** The server's task of an upload. */
  taskId?: string;
}

interface Running extends Activity {
  run: (signal: AbortSignal) => Promise<string | undefined>;
  abort: AbortController;
}

const all = new Map<number, Running>();
let last = 0;
export const activities = signal<readonly Activity[]>([]);

let unfollow: (() => void) | undefined;

/** Shows the present state. The feed is followed while an upload has not ended. */
function publish() {
  activities.value = [...all.values()].map(({ run: _, abort: __, ...shown }) => shown);
  const uploading = activities.value.some((one) => one.kind === "upload" && !hasEnded(one));
  if (uploading) unfollow ??= followUploads(follow);
  else {
    unfollow?.();
    unfollow = undefined;
  }
}

export function hasEnded({ state }: Activity): boolean {
  return state === "done" || state === "failed" || state === "cancelled";
}

function change(one: Running, what: Partial<Activity>) {
  Object.assign(one, what);
  publish();
}

function add(kind: Activity["kind"], name: string, total: number | null, run: (one: Running) => Running["run"]) {
  const one: Running = {
    id: ++last,
    kind,
    name,
    state: "waiting",
    loaded: 0,
    total,
    abort: new AbortController(),
    run: () => Promise.resolve(undefined),
  };
  one.run = run(one);
  all.set(one.id, one);
  publish();
  startNext();
}

function progress(one: Running) {
  let shown = 0;
  return ({ loaded, total }: FileProgress) => {
    one.loaded = loaded;
    // Many changes a second are more than anybody sees.
    const now = performance.now();
    if (now - shown < 100 && loaded !== total) return;
    shown = now;
    change(one, { loaded, total: total ?? one.total });
  };
}

export function upload(file: File, fields: FileFields, password?: string) {
  add("upload", file.name, file.size, (one) => async (signal) => {
    const options = { signal, password, onProgress: progress(one) };
    const send = file.size > onePiece ? files.resumable : files.put;
    const { taskId } = await send.call(files, file, fields, options);
    return taskId;
  });
}

/** Gets a file into memory, with the session and the progress, and gives it to the person. */
export function fetchAndSave(name: string, hash: string, platform: number, password?: string) {
  add("download", name, null, (one) => async (signal) => {
    const answer = await files.get(hash, { platform, signal, password, onProgress: progress(one) });
    saveAs(await answer.blob(), name);
    return undefined;
  });
}

// A page that is left stops what it sends. The browser asks first.
globalThis.addEventListener?.("beforeunload", (event) => {
  const sending = ({ kind, state }: Activity) => kind === "upload" && (state === "waiting" || state === "running");
  if (activities.peek().some(sending)) event.preventDefault();
});

function startNext() {
  const active = [...all.values()].filter((one) => one.state === "running").length;
  const next = [...all.values()].filter((one) => one.state === "waiting").slice(0, mostUploads - active);
  for (const one of next) void start(one);
}

async function start(one: Running) {
  one.abort = new AbortController();
  change(one, { state: "running", loaded: 0 });
  try {
    const taskId = await one.run(one.abort.signal);
    if (taskId === undefined) change(one, { state: "done" });
    else {
      change(one, { state: "storing", taskId });
      const row = uploadTasks.get(taskId);
      if (row) follow(row);
    }
  } catch (error) {
    if (one.abort.signal.aborted) change(one, { state: "cancelled" });
    else change(one, { state: "failed", error: reasonOf(error) });
  }
  startNext();
}

/** Takes over what the feed says about the task of an upload. */
function follow(row: TaskRow) {
  for (const one of all.values()) {
    if (one.taskId !== row.taskId || one.state !== "storing") continue;
    if (row.status === 1) change(one, { state: "done" });
    else if (row.status === 3 || row.status === 5) change(one, { state: "failed", code: row.code });
  }
}

export function cancel(id: number) {
  const one = all.get(id);
  if (one?.state === "waiting") change(one, { state: "cancelled" });
  one?.abort.abort(new DOMException("cancelled", "AbortError"));
}

export function retry(id: number) {
  const one = all.get(id);
  if (!one || (one.state !== "failed" && one.state !== "cancelled")) return;
  delete one.error;
  delete one.code;
  if (one.taskId !== undefined && one.state === "failed") {
    // The server has the bytes already. Its task begins again.
    change(one, { state: "storing" });
    stowage.call("transferApi/retryTask", { taskId: one.taskId }).catch((error: unknown) => {
      change(one, { state: "failed", error: reasonOf(error) });
    });
    return;
  }
  change(one, { state: "waiting" });
  startNext();
}

/** Forgets what has ended. */
export function forget(id?: number) {
  for (const one of [...all.values()]) {
    if (hasEnded(one) && (id === undefined || id === one.id)) all.delete(one.id);
  }
  publish();
}
