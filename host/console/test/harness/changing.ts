/** Versions of the module `changing`, whose behaviour is in its bytes: `tests/src/changing.rs`. */
import { builtModule } from "./tools";

const mark = "behaviour-of-this-:";

/** What `work` and the other functions do: as they should, trap, answer an error, round down. */
const works = { good: "o", traps: "t", fails: "e", roundsDown: "r" } as const;

export interface Behaviour {
  work?: keyof typeof works;
  /** Whether its self-test passes. */
  selfTest?: boolean;
}

/** `label` is one letter, which the function `label` answers. */
export function changing(label: string, { work = "good", selfTest = true }: Behaviour = {}): Buffer {
  const module = builtModule("changing", "modules-test");
  const at = module.indexOf(mark);
  if (at < 0 || label.length !== 1) throw new Error("the module has no mark, or the label is not one letter");
  module.write(`${label}${works[work]}00${selfTest ? "o" : "f"}`, at + mark.length, "ascii");
  return module;
}
