/** Local temp files: conversations, and their files. */
import { stowage } from "../../server";
import { conversation, type Entry, platforms, tempFile } from "./entry";
import { arranged, order, type Section } from "./section";

export const temp: Section = {
  name: "temp",
  platform: platforms.temp,
  filters: ([folder]) => (folder === undefined ? ["keyword", "order"] : ["keyword", "type", "order"]),
  searchesAll: true,
  list([folder], filter) {
    const key = (entry: Entry) => entry.key;
    const { keyword, type } = filter;
    if (folder !== undefined) {
      return {
        key,
        load: async (page, pageSize, signal) => {
          const params = { unique: folder, keyword, type, order: order(filter), page, pageSize } as const;
          const rows = await stowage.call("getLocalTempFileList", params, { signal });
          return rows.map(tempFile);
        },
      };
    }
    if (keyword !== "") {
      // A search through all conversations. It has no pages.
      return {
        key,
        head: async (signal) => {
          const { folders, files } = await stowage.call("searchLocalTempFile", { keyword }, { signal });
          return [...arranged(folders.map(conversation), filter), ...arranged(files.map(tempFile), filter)];
        },
      };
    }
    return {
      key,
      load: async (page, pageSize, signal) => {
        const params = { order: order(filter), page, pageSize } as const;
        const rows = await stowage.call("getLocalTempFolderList", params, { signal });
        return rows.map(conversation);
      },
    };
  },
  // A conversation has no other name than its node or group.
  names: (path) => Promise.resolve([...path]),
  pathOf: (_, folder) => [folder.key],
  upload: ([parent]) => (parent === undefined ? undefined : { platform: platforms.temp, parent }),
  createFolder: () => undefined,
  rename: () => undefined,
  canDelete: () => true,
  async delete(entries) {
    for (const { key, folder } of entries) {
      if (folder) await stowage.call("transferApi/deleteLocalTempFolder", { unique: key });
    }
    const uniques = entries.filter((entry) => !entry.folder).map((entry) => entry.key);
    if (uniques.length > 0) await stowage.call("transferApi/deleteLocalTempFiles", { uniques });
  },
};

/** Tasks upload the files to the cloud storage or to the default folder of favourites. */
export function keep(entries: readonly Entry[], where: "storage" | "favorites"): Promise<unknown> {
  const hashs = [...new Set(entries.map((entry) => entry.hash))];
  return where === "storage"
    ? stowage.call("localTempFileToStorage", { hashs })
    : stowage.call("localTempFileToFavorite", { hashs });
}
