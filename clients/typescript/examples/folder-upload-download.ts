// Makes a folder, uploads a file to it, waits until the space has it, and downloads it again.
// node folder-upload-download.js http://127.0.0.1:8787 FILE
import { openAsBlob } from "node:fs";
import { writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { type FileProgress, Stowage } from "stowage-client";
import { WebSocket } from "ws"; // Node 22 and browsers have one of their own.

const [url = "http://127.0.0.1:8787", path = "cat.jpg"] = process.argv.slice(2);
const stowage = new Stowage({ url, WebSocket });
const show = (what: string) => (now: FileProgress) => console.log(`${what} ${now.loaded} of ${now.total} bytes`);

const folder = await stowage.call("transferApi/createStorageFolder", { name: `photos ${Date.now()}` });
const fields = { platform: 3, name: basename(path), storagePath: folder.unique };
const { taskId, hash } = await stowage.files.put(await openAsBlob(path), fields, { onProgress: show("sent") });
for await (const { rows } of stowage.feed({ type: 0, platform: 3 })) {
  const row = rows.find((row) => row.taskId === taskId);
  if (row) console.log(`upload ${row.progress} %`);
  if (row?.status === 1) break;
}
const response = await stowage.files.get(hash, { onProgress: show("received") });
await writeFile(`${path}.copy`, new Uint8Array(await response.arrayBuffer()));
