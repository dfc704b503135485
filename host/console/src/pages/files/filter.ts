/** The filters of a list as the query of its address, so that a link and the back button keep them. */
import type { Filter } from "./section";

export function filterOf(query: Readonly<Record<string, string>>): Filter {
  const type = Number(query["type"] ?? 0);
  return {
    keyword: query["q"] ?? "",
    type: Number.isInteger(type) && type >= 0 && type <= 4 ? type : 0,
    from: momentIn(query["from"]),
    to: momentIn(query["to"]),
    down: query["order"] !== "asc",
  };
}

export function queryOf({
  keyword,
  type,
  from,
  to,
  down,
}: Partial<Filter>): Record<string, string | number | undefined> {
  return { q: keyword, type: type || undefined, from, to, order: down === false ? "asc" : undefined };
}

function momentIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
