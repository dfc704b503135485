/** Where a call goes. */
import type { Operation } from "./description";
import { parse } from "./json";
import { isObject } from "./value";

/** The address and the headers of a call with these parameters. Empty ones are left out. */
export function addressOf(
  operation: Operation,
  parameters: Readonly<Record<string, string>>,
): { path: string; headers: Record<string, string> } {
  let { path } = operation;
  const query = new URLSearchParams();
  const headers: Record<string, string> = {};
  for (const { name, place, spread } of operation.parameters) {
    const value = parameters[`${place} ${name}`] ?? "";
    if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
    else if (value === "") continue;
    else if (spread) for (const [field, part] of fieldsOf(value)) query.set(field, part);
    else if (place === "query") query.set(name, value);
    else headers[name] = value;
  }
  const search = query.toString();
  return { path: search ? `${path}?${search}` : path, headers };
}

/** The fields of a JSON object as texts. None while it is no object yet. */
function fieldsOf(json: string): [string, string][] {
  const parsed = parse(json);
  if (!("value" in parsed) || !isObject(parsed.value)) return [];
  return Object.entries(parsed.value).map(([name, value]) => [name, String(value)]);
}
