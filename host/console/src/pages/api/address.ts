/** Where a call goes. */
import type { Operation } from "./description";

/** The address and the headers of a call with these parameters. Empty ones are left out. */
export function addressOf(
  operation: Operation,
  parameters: Readonly<Record<string, string>>,
): { path: string; headers: Record<string, string> } {
  let { path } = operation;
  const query = new URLSearchParams();
  const headers: Record<string, string> = {};
  for (const { name, place } of operation.parameters) {
    const value = parameters[`${place} ${name}`] ?? "";
    if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
    else if (value === "") continue;
    else if (place === "query") query.set(name, value);
    else headers[name] = value;
  }
  const search = query.toString();
  return { path: search ? `${path}?${search}` : path, headers };
}
