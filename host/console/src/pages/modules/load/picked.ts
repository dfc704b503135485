/** The chosen files and their names. */
import { useState } from "preact/hooks";
import { bytes } from "../../../format";
import { mostBodyBytes, mostModuleBytes, type Upload } from "../calls";
import { text } from "../text";
import { suggestedName } from "./names";

export interface Picked extends Upload {
  id: number;
}

export interface PickedFiles {
  list: readonly Picked[];
  add: (files: readonly File[]) => void;
  rename: (id: number, name: string) => void;
  remove: (id: number) => void;
  /** Why files were left out, or why there are too many. */
  problem: string | undefined;
}

let last = 0;

export function usePicked(first: readonly File[], live: readonly string[], module?: string): PickedFiles {
  const made = (files: readonly File[], before: readonly Picked[]) => {
    const good = files.filter((file) => refusal(file) === undefined);
    return good.map((file, n): Picked => {
      // On the page of a module, a file alone is meant for it.
      const meant = module && before.length === 0 && good.length === 1 && n === 0 ? module : undefined;
      return { id: ++last, file, name: meant ?? suggestedName(file.name, live) };
    });
  };
  const [list, setList] = useState<readonly Picked[]>(() => made(first, []));
  const [refused, setRefused] = useState(() => reasons(first));
  const size = list.reduce((sum, { file }) => sum + file.size, 0);
  const tooMuch = size > mostBodyBytes ? text().loading.problems.total(bytes(mostBodyBytes)) : undefined;
  return {
    list,
    add: (files) => {
      setList([...list, ...made(files, list)]);
      setRefused(reasons(files));
    },
    rename: (id, name) => setList(list.map((one) => (one.id === id ? { ...one, name } : one))),
    remove: (id) => {
      setList(list.filter((one) => one.id !== id));
      setRefused(undefined);
    },
    problem: tooMuch ?? refused,
  };
}

function reasons(files: readonly File[]): string | undefined {
  const found = files.flatMap((file) => refusal(file) ?? []);
  return found.length > 0 ? found.join(" ") : undefined;
}

/** Why the server would not take the file. Its content is for the check. */
function refusal({ name, size }: File): string | undefined {
  const t = text().loading.problems;
  if (!/\.wasm$/i.test(name)) return t.notWasm(name);
  if (size > mostModuleBytes) return t.tooLarge(name, bytes(mostModuleBytes));
  return undefined;
}
