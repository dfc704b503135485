import { isProgram, PROGRAM } from "./tools.js";

/** Runs once before all tests. */
export default function setup(): void {
  if (!isProgram(PROGRAM)) {
    throw new Error(`${PROGRAM} is missing: run \`make build\`, or set STOWAGE_BIN to another program`);
  }
}
