/** Favourites: folders, and messages and files in them. */
import { stowage } from "../../server";
import { type Entry, favorite, favoriteFolder, platforms } from "./entry";
import type { LoadPage } from "./paged";
import { order, type Section, whole } from "./section";

/** The default folder. It cannot be deleted. */
const defaultFolder = "1";

const folders =
  (down: boolean): LoadPage<Entry> =>
  async (page, pageSize, signal) => {
    const rows = await stowage.call(
      "getImFavoriteFolders",
      { order: down ? "desc" : "asc", page, pageSize },
      { signal },
    );
    return rows.map(favoriteFolder);
  };

const allFolders = (signal: AbortSignal) => whole(folders(false), signal);
const keys = (entries: readonly Entry[]) => entries.map((entry) => entry.key);
const files = (entries: readonly Entry[]) => entries.filter((entry) => !entry.folder);

export const favorites: Section = {
  name: "favorites",
  platform: platforms.favorites,
  filters: ([folder]) => (folder === undefined ? ["order"] : ["keyword", "type", "time", "order"]),
  searchesAll: false,
  list([folder], filter) {
    const key = (entry: Entry) => entry.key;
    if (folder === undefined) return { key, load: folders(filter.down) };
    const { keyword, type, from, to } = filter;
    return {
      key,
      load: async (page, pageSize, signal) => {
        const params = { favId: folder, keyword, type, order: order(filter), page, pageSize } as const;
        const times = { startTime: from ?? null, endTime: to ?? null };
        const rows = await stowage.call("getImFavoriteList", { ...params, ...times }, { signal });
        return rows.map((row) => favorite(row, folder));
      },
    };
  },
  async names(path, signal) {
    if (path.length === 0) return [];
    const all = await allFolders(signal);
    return path.map((id) => all.find((folder) => folder.key === id)?.name ?? id);
  },
  pathOf: (_, folder) => [folder.key],
  upload: ([favId]) => (favId === undefined ? undefined : { platform: platforms.favorites, favId }),
  createFolder: (path) => (path.length === 0 ? (name) => stowage.call("createImFavoriteFolder", { name }) : undefined),
  rename: (entry) =>
    entry.folder ? (newName) => stowage.call("renameImFavoriteFolder", { id: entry.key, newName }) : undefined,
  canDelete: (entry) => !entry.folder || entry.key !== defaultFolder,
  async delete(entries) {
    for (const { key, folder } of entries) if (folder) await stowage.call("deleteImFavoriteFolder", { id: key });
    const uniques = keys(files(entries));
    if (uniques.length > 0) await stowage.call("transferApi/deleteImFavorites", { uniques });
  },
  move: {
    folders: (path, signal) => (path.length === 0 ? allFolders(signal) : Promise.resolve([])),
    top: false,
    to: (entries, [favId = defaultFolder]) =>
      stowage.call("transferApi/moveImFavorites", { uniques: keys(entries), favId }),
    from: (entry) => [entry.parent],
  },
};

/** Keeps a text as a message that a person wrote here. */
export function addText(favId: string, text: string): Promise<unknown> {
  // The identity of the message, which has none of its own: 32 random bytes, as messages have.
  const random = crypto.getRandomValues(new Uint8Array(32));
  const msgId = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return stowage.call("transferApi/addImFavorite", {
    favId,
    msgId,
    msgType: textMessage,
    msgContent: JSON.stringify({ text }),
  });
}

/** The number of a text in the clients' numbering of messages. */
const textMessage = 2;
