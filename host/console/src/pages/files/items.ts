/** The menu of entries: what can be done with all of them. */
import type { MenuItem } from "../../ui/menu";
import { copyTo, download, downloadOnServer } from "./actions";
import { type Entry, hasBytes } from "./entry";
import type { Section } from "./section";
import { text } from "./text";

export interface ItemActions {
  open: () => void;
  rename: () => void;
  move: () => void;
  remove: () => void;
}

export function itemsFor(section: Section, entries: readonly Entry[], actions: ItemActions): MenuItem[] {
  const t = text().actions;
  const [only] = entries.length === 1 ? entries : [];
  const items: MenuItem[] = [];
  if (only) items.push({ text: t.open, icon: only.folder ? "folder" : "info", onSelect: actions.open });
  if (entries.every((entry) => hasBytes(entry) && !entry.locked)) {
    items.push({ text: t.download, icon: "download", onSelect: () => download(entries) });
    if (only) items.push({ text: t.serverDownload, icon: "archive", onSelect: () => void downloadOnServer(only) });
  }
  if (only && section.rename(only)) items.push({ text: t.rename, icon: "edit", onSelect: actions.rename });
  if (canMove(section, entries)) items.push({ text: t.move, icon: "move", onSelect: actions.move });
  if (canCopy(section, entries)) {
    items.push({ text: t.toStorage, icon: "cloud", onSelect: () => void copyTo(entries, "storage") });
    items.push({ text: t.toFavorites, icon: "star", onSelect: () => void copyTo(entries, "favorites") });
  }
  if (entries.some(section.canDelete)) {
    items.push("line", { text: t.delete, icon: "trash", danger: true, onSelect: actions.remove });
  }
  return items;
}

/** Folders of favourites have no folder around them. */
export function canMove(section: Section, entries: readonly Entry[]): boolean {
  if (!section.move) return false;
  return section.move.top || entries.every((entry) => !entry.folder);
}

export function canCopy(section: Section, entries: readonly Entry[]): boolean {
  return section.name === "temp" && entries.every(hasBytes);
}
