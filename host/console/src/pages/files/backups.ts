/** Chat backups: files of messages, in folders that may be in folders. */
import { stowage } from "../../server";
import { backupFile, backupFolder, type Entry, platforms } from "./entry";
import type { LoadPage } from "./paged";
import { arranged, order, type Section, whole } from "./section";

const foldersOf =
  (parent?: string): LoadPage<Entry> =>
  async (page, pageSize, signal) => {
    const rows = await stowage.call("getImBackupsFolderList", { parent: parent ?? null, page, pageSize }, { signal });
    return rows.map(backupFolder);
  };

export const backups: Section = {
  name: "backups",
  platform: platforms.backups,
  filters: ([folder]) => (folder === undefined ? ["keyword", "time", "order"] : ["order"]),
  searchesAll: true,
  list(path, filter) {
    const key = (entry: Entry) => entry.key;
    const { keyword } = filter;
    const folder = path.at(-1);
    if (folder !== undefined) {
      return {
        key,
        head: async (signal) => arranged(await whole(foldersOf(folder), signal), filter),
        load: async (page, pageSize, signal) => {
          const params = { parent: folder, order: order(filter), page, pageSize } as const;
          const rows = await stowage.call("getImBackupsFileList", params, { signal });
          return rows.map(backupFile);
        },
      };
    }
    if (keyword !== "") {
      // A search through all folders. It has no pages, and no time of its own.
      return {
        key,
        head: async (signal) => {
          const { folders, files } = await stowage.call("searchImBackupsList", { keyword }, { signal });
          return [...arranged(folders.map(backupFolder), filter), ...arranged(files.map(backupFile), filter)];
        },
      };
    }
    // Without a parent the API lists the folders of all levels.
    return {
      key,
      head: async (signal) => {
        const all = await whole(foldersOf(), signal);
        return arranged(
          all.filter((entry) => entry.parent === ""),
          filter,
        );
      },
    };
  },
  async names(path, signal) {
    if (path.length === 0) return [];
    const all = await whole(foldersOf(), signal);
    return path.map((unique) => all.find((folder) => folder.key === unique)?.name ?? unique);
  },
  pathOf: (path, folder) => [...path, folder.key],
  upload(path) {
    const parent = path.at(-1);
    return parent === undefined ? undefined : { platform: platforms.backups, parent };
  },
  createFolder: (path) => (name) =>
    stowage.call("transferApi/addImBackupFolder", { name, parent: path.at(-1) ?? null }),
  // With the identity of a known folder, `addImBackupFolder` replaces its row.
  rename: (entry) =>
    entry.folder
      ? (name) =>
          stowage.call("transferApi/addImBackupFolder", {
            name,
            unique: entry.key,
            parent: entry.parent || null,
            time: Math.floor(entry.time / 1000),
          })
      : undefined,
  canDelete: () => true,
  // The API deletes one a call. All begin at once, because the page may be closed now.
  delete: (entries) =>
    Promise.all(entries.map(({ key, folder }) => stowage.call("deleteImBackups", { unique: key, isFolder: folder }))),
};
