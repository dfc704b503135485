/** The page is in the fragment of the address: `#/files/favorites/1?type=2`. */
import { signal } from "@preact/signals";

export const pages = ["overview", "files", "transfers", "modules", "api"] as const;
export type PageName = (typeof pages)[number];

export interface Route {
  page: PageName;
  /** What follows the page, decoded. */
  path: readonly string[];
  query: Readonly<Record<string, string>>;
}

type Query = Record<string, string | number | undefined>;

/** An unknown page is the overview, so that an old bookmark never ends in nothing. */
export function parse(fragment: string): Route {
  const [path = "", query = ""] = fragment.replace(/^#?\/?/, "").split("?", 2);
  const [name = "", ...rest] = path.split("/").filter(Boolean).map(decode);
  const page = pages.find((known) => known === name);
  if (!page) return { page: "overview", path: [], query: {} };
  return { page, path: rest, query: Object.fromEntries(new URLSearchParams(query)) };
}

/** The address of a page, for `href`. An undefined or empty part of the query is left out. */
export function href(page: PageName, path: readonly string[] = [], query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return `#/${[page, ...path].map(encodeURIComponent).join("/")}${text && `?${text}`}`;
}

/** Text that was not encoded well stays as it is. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const route = signal<Route>(parse(globalThis.location?.hash ?? ""));

/** Goes to a page. `replace` adds no entry to the history: for filters and searches. */
export function go(page: PageName, path: readonly string[] = [], query: Query = {}, replace = false) {
  const to = href(page, path, query);
  if (to === location.hash) return;
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  route.value = parse(to);
}

/** Follows links and the back button. */
export function followAddress() {
  addEventListener("hashchange", () => {
    route.value = parse(location.hash);
  });
  addEventListener("popstate", () => {
    route.value = parse(location.hash);
  });
}
