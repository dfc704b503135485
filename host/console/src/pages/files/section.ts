/** What the four sections have in common: where a list is, how it is filtered and what can be done. */
import type { FileFields } from "stowage-client";
import type { Entry } from "./entry";
import { type LoadPage, largestPage, type Source } from "./paged";

export const sectionNames = ["favorites", "temp", "backups", "storage"] as const;
export type SectionName = (typeof sectionNames)[number];

export interface Filter {
  keyword: string;
  /** 0 all, 1 picture or video, 2 file, 3 text, 4 voice. */
  type: number;
  /** The first and the last moment, in milliseconds since 1970, inclusive. */
  from?: number | undefined;
  to?: number | undefined;
  /** Newest first. */
  down: boolean;
}

export type FilterName = "keyword" | "type" | "time" | "order";

/** The identifiers of the folders that lead to a list. The top is empty. */
export type Path = readonly string[];

export interface Section {
  name: SectionName;
  platform: number;
  /** Which filters the API has for a list. */
  filters: (path: Path) => readonly FilterName[];
  /** Whether a search at the top goes through all folders. */
  searchesAll: boolean;
  list: (path: Path, filter: Filter) => Source<Entry>;
  /** The names of the folders of a path. */
  names: (path: Path, signal: AbortSignal) => Promise<string[]>;
  /** The path of a folder that a list shows. */
  pathOf: (path: Path, folder: Entry) => Path;
  /** The fields of a file that is uploaded here. Undefined where nothing can be uploaded. */
  upload: (path: Path) => FileFields | undefined;
  /** Undefined where no folder can be made. */
  createFolder: (path: Path) => ((name: string) => Promise<unknown>) | undefined;
  /** Undefined for what has a fixed name. */
  rename: (entry: Entry) => ((name: string) => Promise<unknown>) | undefined;
  canDelete: (entry: Entry) => boolean;
  /** At most 1000 entries. */
  delete: (entries: readonly Entry[]) => Promise<unknown>;
  move?: {
    /** The folders in a path that entries can be moved to. */
    folders: (path: Path, signal: AbortSignal) => Promise<Entry[]>;
    /** Whether the top takes entries. */
    top: boolean;
    to: (entries: readonly Entry[], path: Path) => Promise<unknown>;
    /** Where an entry is, for undo. */
    from: (entry: Entry) => Path;
  };
}

export const order = (filter: Filter) => (filter.down ? "desc" : "asc");

/** Lists that begin with all of their folders read them whole. More than this are not shown. */
const mostFolders = 20_000;

/** All rows of a list of folders. */
export async function whole<T>(load: LoadPage<T>, signal: AbortSignal): Promise<T[]> {
  const found: T[] = [];
  for (let page = 1; found.length < mostFolders; page++) {
    const rows = await load(page, largestPage, signal);
    found.push(...rows);
    if (rows.length < largestPage) break;
  }
  return found;
}

/** Rows that the API filters or orders in one way only. */
export function arranged(entries: Entry[], { from, to, down }: Filter): Entry[] {
  const kept = entries.filter(({ time }) => (from === undefined || time >= from) && (to === undefined || time <= to));
  return kept.sort((a, b) => (down ? b.time - a.time : a.time - b.time));
}
