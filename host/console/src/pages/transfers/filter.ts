/** Which tasks the page shows, and in which order. */
import type { TaskRow } from "stowage-client";
import { isActive, phaseOf } from "../../tasks/phase";
import type { Sort } from "../../ui/grid";

export const groups = ["all", "active", "failed", "done"] as const;
export type Group = (typeof groups)[number];

export interface Filter {
  group: Group;
  /** 0 uploads, 1 downloads, -1 both. */
  type: number;
  /** -1: all. */
  platform: number;
  /** A part of the name. */
  keyword: string;
}

/** Reads the query of the address. What is wrong there counts as absent. */
export function filterOf(query: Readonly<Record<string, string>>): Filter {
  return {
    group: groups.find((group) => group === query["state"]) ?? "all",
    type: oneOf(query["type"], 1),
    platform: oneOf(query["platform"], 4),
    keyword: query["q"] ?? "",
  };
}

/** The query of the address for a filter. */
export function queryOf({ group, type, platform, keyword }: Filter) {
  return {
    state: group === "all" ? undefined : group,
    type: type < 0 ? undefined : type,
    platform: platform < 0 ? undefined : platform,
    q: keyword || undefined,
  };
}

function oneOf(text: string | undefined, most: number): number {
  return text !== undefined && /^\d$/.test(text) && Number(text) <= most ? Number(text) : -1;
}

export function groupOf(row: TaskRow): Exclude<Group, "all"> {
  const phase = phaseOf(row);
  if (isActive(phase)) return "active";
  return phase === "failed" ? "failed" : "done";
}

/** The tasks that match all but the group. */
export function withoutGroup(rows: readonly TaskRow[], { type, platform, keyword }: Filter): TaskRow[] {
  const wanted = keyword.trim().toLowerCase();
  return rows.filter(
    (row) =>
      (type < 0 || row.type === type) &&
      (platform < 0 || row.shareIndex === platform) &&
      (wanted === "" || row.name.toLowerCase().includes(wanted)),
  );
}

export function countsOf(rows: readonly TaskRow[]): Record<Group, number> {
  const counts = { all: rows.length, active: 0, failed: 0, done: 0 };
  for (const row of rows) counts[groupOf(row)]++;
  return counts;
}

const orders: Record<string, (a: TaskRow, b: TaskRow) => number> = {
  name: (a, b) => a.name.localeCompare(b.name),
  size: (a, b) => a.size - b.size,
  time: (a, b) => a.id - b.id,
};

export function sorted(rows: readonly TaskRow[], { column, down }: Sort): TaskRow[] {
  const order = orders[column];
  if (!order) return [...rows];
  return [...rows].sort((a, b) => (down ? order(b, a) : order(a, b)));
}

/** Bytes a second of all tasks, and how many run and wait. */
export interface Totals {
  download: number;
  upload: number;
  running: number;
  waiting: number;
}

export function totalsOf(rows: readonly TaskRow[]): Totals {
  const totals: Totals = { download: 0, upload: 0, running: 0, waiting: 0 };
  for (const row of rows) {
    const phase = phaseOf(row);
    if (phase === "waiting") totals.waiting++;
    if (phase !== "running") continue;
    totals.running++;
    if (row.type === 0) totals.upload += row.speed;
    else totals.download += row.speed;
  }
  return totals;
}
