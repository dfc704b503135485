/**
 * A long list that the server gives page by page. Only the pages around what is seen are kept, so
 * 100,000 rows take no more memory than 4,000.
 *
 * The API tells no count. `countRows` finds it with a few questions for single rows, so that the
 * scroll bar is right and the end can be reached at once.
 */
import { signal } from "@preact/signals";

export const pageSize = 100;
/** The most pages that are kept. */
const mostPages = 40;
/** The most rows that the API gives at once. */
export const largestPage = 1000;
/** Loads at once. Fast scrolling asks for the newest view when one of them ends. */
const mostLoads = 2;

export type LoadPage<T> = (page: number, pageSize: number, signal: AbortSignal) => Promise<T[]>;

export interface Source<T> {
  key: (row: T) => string;
  /** Rows before the pages, all at once: folders. */
  head?: (signal: AbortSignal) => Promise<T[]>;
  /** The rows after them, page by page from 1. */
  load?: LoadPage<T>;
}

/**
 * How many rows a list has. `exists(n)` asks for row `n`, counted from 1. The first `known` rows
 * exist. `guess` is what the list had before, or 0.
 */
export async function countRows(
  known: number,
  guess: number,
  exists: (row: number) => Promise<boolean>,
  /** Is told how many rows there are at least. */
  atLeast: (rows: number) => void = () => {},
): Promise<number> {
  let low = known;
  let step = Math.max(1, low);
  const has = async (row: number) => {
    const there = await exists(row);
    if (there) {
      low = row;
      atLeast(row);
    }
    return there;
  };
  // A list that had `guess` rows has about as many now.
  if (guess > low && (await has(guess))) step = 1;
  while (await has(low + step)) step *= 2;
  let high = low + step;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (!(await has(middle))) high = middle;
  }
  return low;
}

interface Kept<T> {
  rows: T[];
  /** It is shown until a newer one is there. */
  stale: boolean;
}

export class Paged<T> {
  /** Grows with each change. A component that reads it follows the list. */
  readonly changes = signal(0);
  /** Why the latest load failed. */
  error: Error | undefined;
  /** Whether the first rows, or their absence, are known. */
  ready = false;

  #head: T[] = [];
  #headStale = true;
  /** Rows in the pages. Less than there are while they are counted. */
  #tail = 0;
  readonly #pages = new Map<number, Kept<T>>();
  readonly #loading = new Set<number>();
  readonly #closing = new AbortController();
  #view: [number, number] = [1, 1];
  /** What was loaded for an older one is stale. */
  #generation = 0;
  #counting = -1;
  /** Who waits for the end of a reload. */
  #waiting: (() => void)[] = [];

  constructor(readonly source: Source<T>) {
    this.#next();
  }

  get count(): number {
    return this.#head.length + this.#tail;
  }

  /** The row, or undefined while it is loaded. */
  row(index: number): T | undefined {
    if (index < this.#head.length) return this.#head[index];
    const at = index - this.#head.length;
    return this.#pages.get(Math.floor(at / pageSize) + 1)?.rows[at % pageSize];
  }

  /** The row with a key, if it is kept. */
  find(key: string): T | undefined {
    const is = (row: T) => this.source.key(row) === key;
    for (const rows of [this.#head, ...[...this.#pages.values()].map((page) => page.rows)]) {
      const found = rows.find(is);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The rows that are seen now. They are loaded, and those far away are forgotten. */
  show = (first: number, last: number) => {
    const page = (index: number) => Math.max(1, Math.floor((index - this.#head.length) / pageSize) + 1);
    this.#view = [page(first), page(last)];
    this.#next();
  };

  /**
   * Loads again what is seen, and the rest when it is seen. The old rows stay until then. The promise
   * is fulfilled when what is seen is new, or could not be loaded.
   */
  reload = (): Promise<void> => {
    this.#generation++;
    this.#headStale = true;
    for (const page of this.#pages.values()) page.stale = true;
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#next();
    });
  };

  /** The rows from one index to another, for a selection. Those that are not kept are loaded. */
  async rows(from: number, to: number): Promise<T[]> {
    const found = this.#head.slice(from, to + 1);
    const { load } = this.source;
    const [first, last] = [Math.max(0, from - this.#head.length), to - this.#head.length];
    if (!load || last < 0) return found;
    const kept: T[] = [];
    for (let at = first; at <= last; at++) {
      const row = this.row(at + this.#head.length);
      if (row === undefined) return [...found, ...(await between(load, first, last, this.#closing.signal))];
      kept.push(row);
    }
    return [...found, ...kept];
  }

  /** Nothing is loaded any more. */
  close() {
    this.#closing.abort();
    this.#tell();
  }

  #tell() {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #next() {
    if (this.#closing.signal.aborted) return this.#tell();
    if (this.#headStale && !this.#loading.has(0)) this.#start(0);
    const [first, last] = this.#view;
    for (let page = first; this.source.load && page <= last; page++) {
      if (this.#loading.size >= mostLoads) return;
      const kept = this.#pages.get(page);
      const isThere = (page - 1) * pageSize < this.#tail || page === 1;
      if (isThere && (!kept || kept.stale) && !this.#loading.has(page)) this.#start(page);
    }
    if (this.#loading.size === 0) this.#tell();
  }

  /** Loads a page. Page 0 are the rows before them. */
  #start(page: number) {
    const { head, load } = this.source;
    const { signal } = this.#closing;
    const generation = this.#generation;
    this.#loading.add(page);
    const rows = page === 0 ? (head?.(signal) ?? Promise.resolve([])) : load?.(page, pageSize, signal);
    rows?.then(
      (rows) => {
        if (signal.aborted) return;
        this.#loading.delete(page);
        this.error = undefined;
        if (page === 0) {
          this.#head = rows;
          this.#headStale = generation !== this.#generation;
          if (!load) this.ready = true;
        } else this.#take(page, rows, generation);
        this.changes.value++;
        this.#next();
      },
      (error: unknown) => {
        if (signal.aborted) return;
        this.#loading.delete(page);
        this.error = error instanceof Error ? error : new Error(String(error));
        this.changes.value++;
        this.#tell();
      },
    );
  }

  #take(page: number, rows: T[], generation: number) {
    this.ready = true;
    const before = (page - 1) * pageSize;
    if (rows.length > 0 || page === 1) this.#pages.set(page, { rows, stale: generation !== this.#generation });
    if (rows.length > 0 && rows.length < pageSize) this.#tail = before + rows.length;
    else if (rows.length === 0) {
      this.#pages.delete(page);
      this.#tail = Math.min(this.#tail, before);
      if (page > 1) void this.#count(0);
      else this.#pages.set(1, { rows, stale: false });
    } else {
      const guess = this.#tail;
      this.#tail = Math.max(this.#tail, before + rows.length);
      if (this.#counting !== generation) void this.#count(guess);
    }
    this.#forget();
  }

  #forget() {
    const [first, last] = this.#view;
    const distance = (page: number) => Math.max(first - page, page - last, 0);
    const far = [...this.#pages.keys()].sort((a, b) => distance(b) - distance(a));
    for (const page of far.slice(0, Math.max(0, far.length - mostPages))) this.#pages.delete(page);
  }

  async #count(guess: number) {
    const { load } = this.source;
    const generation = this.#generation;
    this.#counting = generation;
    const { signal } = this.#closing;
    const exists = async (row: number) => {
      if (generation !== this.#generation) throw new Error("overtaken");
      return ((await load?.(row, 1, signal))?.length ?? 0) > 0;
    };
    const known = this.#pages.get(1)?.stale === false ? (this.#pages.get(1)?.rows.length ?? 0) : 0;
    try {
      const count = await countRows(known, guess, exists, (rows) => {
        if (signal.aborted || generation !== this.#generation || rows <= this.#tail) return;
        this.#tail = rows;
        this.changes.value++;
      });
      if (signal.aborted || generation !== this.#generation) return;
      this.#tail = count;
      this.changes.value++;
    } catch {
      // Overtaken, or refused. Without the count the list still grows as it is scrolled.
      if (generation === this.#generation) this.#counting = -1;
    }
  }
}

/** The rows of a list from one index to another, in the largest pages. */
async function between<T>(load: LoadPage<T>, from: number, to: number, signal: AbortSignal): Promise<T[]> {
  const found: T[] = [];
  const first = Math.floor(from / largestPage);
  for (let page = first; page * largestPage <= to; page++) {
    const rows = await load(page + 1, largestPage, signal);
    const start = page * largestPage;
    found.push(...rows.slice(Math.max(0, from - start), to - start + 1));
    if (rows.length < largestPage) break;
  }
  return found;
}
