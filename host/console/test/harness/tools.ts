/** The programs under test and of others. */
import { accessSync, constants, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The root of the repository. */
export const root = fileURLToPath(new URL("../../../../", import.meta.url));

/** The server under test. */
export const program = process.env["STOWAGE_BIN"] ?? join(root, "target/release/stowage");

/** The path of an installed program. */
export function installed(name: string): string {
  const directories = (process.env["PATH"] ?? "").split(delimiter);
  const found = directories.map((directory) => join(directory, name)).find(runs);
  if (!found) throw new Error(`${name} is not installed: run \`make test-tools\``);
  return found;
}

function runs(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The bytes of a built module: one of the server's own, or one for tests. */
export function builtModule(name: string, directory: "modules" | "modules-test"): Buffer {
  return readFileSync(join(root, "target", directory, `${name}.wasm`));
}
