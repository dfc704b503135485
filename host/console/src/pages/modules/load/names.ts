/** The name that a file is loaded as. */

const pattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export function isName(name: string): boolean {
  return pattern.test(name);
}

/**
 * The stem of the file. Cargo writes `stowage_temp_files.wasm` for the crate of the module
 * `temp-files`: if a live module has such a name, it is meant.
 */
export function suggestedName(file: string, live: readonly string[]): string {
  const stem = file.replace(/\.wasm$/i, "");
  const dashed = stem.replaceAll("_", "-");
  const meant = [stem, dashed, dashed.replace(/^stowage-/, "")].find((name) => live.includes(name));
  return meant ?? stem;
}
