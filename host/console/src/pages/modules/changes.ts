/** What differs between two live sets. */

/** Name and version of each module. */
export type LiveSet = readonly (readonly [name: string, version: string])[];

/** A module that is in one of the sets only has one version. */
export interface Change {
  name: string;
  before?: string;
  after?: string;
}

/** The modules that are not the same in both, in the order of `after`; then those that are gone. */
export function changes(before: LiveSet, after: LiveSet): Change[] {
  const old = new Map(before);
  const found: Change[] = [];
  for (const [name, version] of after) {
    const was = old.get(name);
    if (was === undefined) found.push({ name, after: version });
    else if (was !== version) found.push({ name, before: was, after: version });
    old.delete(name);
  }
  for (const [name, version] of old) found.push({ name, before: version });
  return found;
}
