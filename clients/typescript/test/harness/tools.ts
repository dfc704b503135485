import { accessSync, constants } from "node:fs";
import { delimiter, join, resolve } from "node:path";

/** The root of the repository. */
export const ROOT = resolve(import.meta.dirname, "../../../..");

/** The program under test. */
export const PROGRAM = process.env["STOWAGE_BIN"] ?? join(ROOT, "target/release/stowage");

/** The path of a program, if it is installed. */
export function find(name: string): string | undefined {
  const directories = (process.env["PATH"] ?? "").split(delimiter);
  return directories.map((directory) => join(directory, name)).find(isProgram);
}

/**
 * The path of a program that a test needs. `undefined` if it is missing: then the test is left out.
 * With `STOWAGE_TEST_REQUIRE=1` that is an error.
 */
export function needed(name: string, skipped: string): string | undefined {
  return neededAt(find(name) ?? name, skipped, "make test-tools");
}

/** The same for a path. `command` installs it. */
export function neededAt(path: string, skipped: string, command: string): string | undefined {
  if (isProgram(path)) {
    return path;
  }
  const message = `${skipped}, because ${path} is not installed; \`${command}\` installs it`;
  if (process.env["STOWAGE_TEST_REQUIRE"] === "1") {
    throw new Error(message);
  }
  console.error(`SKIPPED: ${message}`);
  return undefined;
}

export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
