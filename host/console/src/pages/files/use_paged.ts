/** A paged list and its selection as hooks. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { comebacks } from "../../connection";
import type { Selection } from "../../ui/selection";
import type { Entry } from "./entry";
import { Paged, type Source } from "./paged";
import { arrivals } from "./upload_tasks";

/** A list that is made anew when `key` changes, and loaded again when the server or an upload brings news. */
export function usePaged(source: () => Source<Entry>, key: string, platform: number): Paged<Entry> {
  const paged = useMemo(() => new Paged(source()), [key]);
  const back = comebacks.value;
  const arrived = arrivals.value[platform] ?? 0;
  useEffect(() => () => paged.close(), [paged]);
  useEffect(() => {
    // A new list is loaded already.
    if (paged.ready || paged.error) void paged.reload();
  }, [back, arrived]);
  // The component follows the changes of the list.
  paged.changes.value;
  return paged;
}

export interface EntrySelection extends Selection {
  entries: ReadonlyMap<string, Entry>;
  take: (entries: Iterable<Entry>) => void;
}

/** Holds the rows themselves: those that are scrolled away are forgotten by the list. */
export function useEntrySelection(paged: Paged<Entry>): EntrySelection {
  const [entries, setEntries] = useState<ReadonlyMap<string, Entry>>(new Map());
  useEffect(() => setEntries(new Map()), [paged]);
  return useMemo(() => {
    const take = (rows: Iterable<Entry>) => setEntries(new Map([...rows].map((entry) => [entry.key, entry])));
    const found = (keys: Iterable<string>) =>
      [...keys].map((key) => paged.find(key)).filter((entry): entry is Entry => entry !== undefined);
    return {
      entries,
      keys: new Set(entries.keys()),
      take,
      toggle(key) {
        const next = new Map(entries);
        if (!next.delete(key)) for (const entry of found([key])) next.set(key, entry);
        setEntries(next);
      },
      replace: (keys) => take(found(keys)),
      clear: () => setEntries(new Map()),
    };
  }, [entries, paged]);
}
