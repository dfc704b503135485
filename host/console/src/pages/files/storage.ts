/** The cloud storage: files in folders in folders. */
import { stowage } from "../../server";
import { type Entry, platforms, storageEntry } from "./entry";
import { order, type Path, type Section } from "./section";

const join = (path: Path) => path.join("/");
const split = (path: string) => path.split("/").filter(Boolean);

/** Folders come first in a list, so it is read up to its first file. */
async function foldersIn(path: Path, signal: AbortSignal): Promise<Entry[]> {
  const pageSize = 200;
  const found: Entry[] = [];
  for (let page = 1; ; page++) {
    const rows = await stowage.call(
      "transferApi/listStorageFiles",
      { path: join(path), order: "asc", page, pageSize },
      { signal },
    );
    const folders = rows.filter((row) => row.isFolder).map(storageEntry);
    found.push(...folders);
    if (folders.length < pageSize) return found;
  }
}

export const storage: Section = {
  name: "storage",
  platform: platforms.storage,
  filters: () => ["keyword", "type", "order"],
  searchesAll: false,
  list(path, filter) {
    const { keyword, type } = filter;
    return {
      key: (entry) => entry.key,
      load: async (page, pageSize, signal) => {
        const params = { path: join(path), keyword, type, order: order(filter), page, pageSize } as const;
        const rows = await stowage.call("transferApi/listStorageFiles", params, { signal });
        return rows.map(storageEntry);
      },
    };
  },
  names: (path, signal) =>
    Promise.all(
      path.map(async (unique) => (await stowage.call("transferApi/getStorageFile", { unique }, { signal })).name),
    ),
  pathOf: (_, folder) => [...split(folder.parent), folder.key],
  upload: (path) => ({ platform: platforms.storage, storagePath: join(path) || undefined }),
  createFolder: (path) => (name) => stowage.call("transferApi/createStorageFolder", { path: join(path), name }),
  rename: (entry) => (newName) => stowage.call("transferApi/renameStorageFile", { unique: entry.key, newName }),
  canDelete: () => true,
  delete: (entries) => stowage.call("transferApi/deleteStorageFiles", { uniques: entries.map((entry) => entry.key) }),
  move: {
    folders: foldersIn,
    top: true,
    // The API moves one entry a call. The first refusal ends it, and the list shows how far it came.
    async to(entries, path) {
      for (const { key } of entries) {
        await stowage.call("transferApi/moveStorageFile", { unique: key, path: join(path) });
      }
    },
    from: (entry) => split(entry.parent),
  },
};
