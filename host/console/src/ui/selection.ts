/** Which rows of a list are selected, by their keys. */
import { useMemo, useState } from "preact/hooks";

export interface Selection {
  keys: ReadonlySet<string>;
  toggle: (key: string) => void;
  replace: (keys: Iterable<string>) => void;
  clear: () => void;
}

export function useSelection(): Selection {
  const [keys, setKeys] = useState<ReadonlySet<string>>(() => new Set());
  return useMemo(
    () => ({
      keys,
      toggle: (key) =>
        setKeys((old) => {
          const next = new Set(old);
          if (!next.delete(key)) next.add(key);
          return next;
        }),
      replace: (next) => setKeys(new Set(next)),
      clear: () => setKeys(new Set()),
    }),
    [keys],
  );
}
