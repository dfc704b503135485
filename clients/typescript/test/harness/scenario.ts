import { type FileProgress, Stowage, StowageError, type TaskRow, type WebSocketConstructor } from "../../src/index.js";
import { bytes, same } from "./bytes.js";

/** What a client saw. It is plain data, because a page sends it to the test. */
export interface Outcome {
  folder: string;
  listed: string[];
  /** The code of a call that must fail. */
  refused: number;
  /** Whether the bytes that came back are those that were sent. */
  isSame: boolean;
  /** Whether a part of the file was the right one, and its status. */
  part: [isSame: boolean, status: number];
  sent: FileProgress[];
  received: FileProgress[];
  resumable: FileProgress[];
  /** The last row of each upload in the feed. */
  uploads: Pick<TaskRow, "name" | "status" | "progress" | "path">[];
  states: string[];
}

export const SIZE_BYTES = 3_000_000;

/** Makes a folder, uploads two files to it, follows the uploads, and downloads one of them. */
export async function scenario(url: string, WebSocket?: WebSocketConstructor, token?: string): Promise<Outcome> {
  const stowage = new Stowage({ url, WebSocket, token });
  const folder = await stowage.call("transferApi/createStorageFolder", { name: "旅行照片" });
  const refused = await stowage
    .call("transferApi/createStorageFolder", { name: "旅行照片" })
    .then(() => 200)
    .catch((error: unknown) => (error instanceof StowageError ? error.code : 0));

  const feed = stowage.feed({ type: 0, platform: 3 });
  const states: string[] = [];
  feed.addEventListener("state", ({ detail }) => states.push(detail));

  const [content, other] = [bytes(SIZE_BYTES, 1), bytes(SIZE_BYTES, 2)];
  const [sent, received, resumable]: [FileProgress[], FileProgress[], FileProgress[]] = [[], [], []];
  const first = await stowage.files.put(
    new Blob([content]),
    { platform: 3, name: "照片 1.bin", storagePath: folder.unique },
    { onProgress: (progress) => sent.push(progress) },
  );
  const second = await stowage.files.resumable(
    new File([other], "照片 2.bin"),
    { platform: 3, storagePath: folder.unique },
    { onProgress: (progress) => resumable.push(progress) },
  );
  const tasks = [first.taskId, second.taskId];
  for await (const _ of feed) {
    if (tasks.every((task) => feed.tasks.get(task)?.status === 1)) {
      break;
    }
  }

  const response = await stowage.files.get(first.hash, { onProgress: (progress) => received.push(progress) });
  const back = new Uint8Array(await response.arrayBuffer());
  const part = await stowage.files.get(second.hash, { platform: 3, range: { start: 1000, end: 2000 } });
  const partBytes = new Uint8Array(await part.arrayBuffer());
  const listed = await stowage.call("transferApi/listStorageFiles", { path: folder.unique, page: 1, pageSize: 10 });
  return {
    folder: folder.unique,
    listed: listed.map(({ name }) => name),
    refused,
    isSame: same(back, content),
    part: [same(partBytes, other.subarray(1000, 2000)), part.status],
    sent,
    received,
    resumable,
    uploads: tasks.map((task) => {
      const { name = "", status = -9, progress = 0, path = "" } = feed.tasks.get(task) ?? {};
      return { name, status, progress, path };
    }),
    states,
  };
}
