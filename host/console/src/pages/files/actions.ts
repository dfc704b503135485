/** What a person can do with entries: each action does it, says so, and offers the way back if there is one. */
import { stowage } from "../../server";
import { ask } from "../../ui/dialog";
import { toast, toastError } from "../../ui/toast";
import { fetchAndSave } from "./activity";
import { deleteLater, doomed, patience } from "./deletion";
import type { Entry } from "./entry";
import { largestPage } from "./paged";
import { saveByLink } from "./save";
import type { Path, Section } from "./section";
import { keep } from "./temp";
import { text } from "./text";

/** Loads the list again. */
export type Reload = () => Promise<void>;

/** Deletes, after a while in which it can be undone if nothing but rows is deleted. */
export async function remove(section: Section, entries: readonly Entry[], done: Reload): Promise<void> {
  const t = text().deletion;
  const deletable = entries.filter(section.canDelete);
  if (deletable.length === 0) return void toast(t.fixed);
  // What is about to go already is not deleted twice.
  const fit = deletable.filter((entry) => !doomed.value.has(entry.key));
  if (fit.length === 0) return;
  const folders = fit.some((entry) => entry.folder);
  if (!folders && fit.length <= largestPage) {
    const undo = deleteLater(section, fit, (error) => {
      if (error) toastError(error);
      return done();
    });
    toast(t.soon(fit.length), { undo, lasts: patience - 500 });
    return;
  }
  // What is in a folder is not seen here, and thousands of rows are more than a slip.
  const body = folders ? t.folderBody : t.many;
  if (!(await ask({ title: t.folderTitle(fit.length), body, action: text().actions.delete, danger: true }))) return;
  try {
    for (const part of parts(fit)) await section.delete(part);
    toast(t.done(fit.length));
  } catch (error) {
    toastError(error);
  }
  await done();
}

/** Moves entries. Undo moves each back to where it was. */
export async function move(
  section: Section,
  entries: readonly Entry[],
  to: Path,
  name: string,
  done: Reload,
): Promise<void> {
  const { move } = section;
  if (!move) return;
  const t = text().moving;
  const send = async (rows: readonly Entry[], path: Path) => {
    for (const part of parts(rows)) await move.to(part, path);
  };
  try {
    await send(entries, to);
  } finally {
    // Some may be moved even if another one was refused.
    void done();
  }
  const before = new Map<string, Entry[]>();
  for (const entry of entries) {
    const from = move.from(entry).join("/");
    before.set(from, [...(before.get(from) ?? []), entry]);
  }
  const undo = async () => {
    try {
      for (const rows of before.values()) {
        const [first] = rows;
        if (first) await send(rows, move.from(first));
      }
      toast(t.back);
    } catch (error) {
      toastError(error);
    }
    void done();
  };
  toast(t.done(entries.length, name), { undo: () => void undo() });
}

/** Renames an entry. Undo gives it the old name. */
export async function rename(section: Section, entry: Entry, name: string, done: Reload): Promise<void> {
  const send = section.rename(entry);
  if (!send) return;
  await send(name);
  void done();
  const undo = () => {
    send(entry.name).then(done, toastError);
  };
  toast(text().renamed(name), { undo });
}

/** Downloads to the person's machine. */
export function download(entries: readonly Entry[], password?: string) {
  for (const { name, hash, platform } of entries) {
    if (password !== undefined || !saveByLink(name, hash, platform)) fetchAndSave(name, hash, platform, password);
  }
}

/** Downloads to the server's disk, as a task. */
export async function downloadOnServer({ hash, platform }: Entry): Promise<void> {
  try {
    await stowage.call("downloadStorageFileTask", { hash, platform });
    toast(text().serverDownload);
  } catch (error) {
    toastError(error);
  }
}

/** Copies temp files to a place that all devices see. */
export async function copyTo(entries: readonly Entry[], where: "storage" | "favorites"): Promise<void> {
  try {
    for (const part of parts(entries)) await keep(part, where);
    toast(text().copying(entries.length));
  } catch (error) {
    toastError(error);
  }
}

function* parts(entries: readonly Entry[]): Generator<readonly Entry[]> {
  for (let at = 0; at < entries.length; at += largestPage) yield entries.slice(at, at + largestPage);
}
