/** The shapes of the admin API, as docs/admin.md gives them. Times are milliseconds since 1970. */

export interface CallStats {
  calls: number;
  failed: number;
  traps: number;
  deadlines: number;
  remembered: number;
  paced: number;
  codes: Record<string, number>;
  p50Us: number | null;
  p99Us: number | null;
}

export interface Thresholds {
  faults: number;
  errorsPercent: number;
  errors: number;
}

export interface Watch {
  calls: number;
  faults: number;
  errors: number;
  latest: unknown[];
  reason: string | null;
}

export interface Probation {
  until: number;
  thresholds: Thresholds;
  watch: Watch;
}

export interface Difference {
  method: string;
  params: unknown;
  lines: string[];
  /** Both answers; null if larger than 64 KiB. */
  live: unknown;
  shadow: unknown;
}

export interface Shadow {
  version: string;
  since: number;
  percent: number;
  compared: number;
  skipped: number;
  different: number;
  /** p50 and p99 in microseconds. */
  liveUs: [number | null, number | null];
  shadowUs: [number | null, number | null];
  differences: Difference[];
}

export interface Canary {
  version: string;
  since: number;
  percent: number;
  methods: string[];
  thresholds: Thresholds;
  watch: Watch;
  calls: CallStats;
}

export type Actor = "start" | "command" | "watch" | "host";

export interface Module {
  name: string;
  version: string;
  size: number;
  source: string;
  since: number;
  by: Actor;
  methods: string[];
  schema: number | null;
  calls: CallStats;
  probation: Probation | null;
  shadow: Shadow | null;
  canary: Canary | null;
}

export interface Modules {
  generation: number;
  modules: Module[];
  draining: { name: string; version: string }[];
}

export interface CheckReport {
  name: string;
  version: string;
  passed: boolean;
  steps: { name: string; passed: boolean; forceable: boolean; lines: string[] }[];
}

export interface Swap {
  generation: number;
  checks: CheckReport[];
  migratedRows: number;
  switchUs: number;
  unchanged: boolean;
}

export interface HistoryEntry {
  generation: number;
  at: number;
  by: Actor;
  action: "start" | "swap" | "unload" | "promote" | "rollback" | "abort";
  reason: string | null;
  /** Name and version of each module. */
  modules: [string, string][];
}

export interface Migration {
  module: string;
  rows: number;
  total: number | null;
  since: number;
}

export interface LogLine {
  n: number;
  at: number;
  level: "error" | "warn" | "info" | "debug" | "trace";
  version: string | null;
  message: string;
  fields: Record<string, string>;
}

export interface Log {
  lines: LogLine[];
  next: number;
  dropped: number;
}

export interface Second {
  /** Seconds since 1970. */
  at: number;
  calls: number;
  /** Answers with a code other than 200. */
  failed: number;
  p50Us: number | null;
  p99Us: number | null;
}

export interface Warning {
  id: string;
  severity: "error" | "warning";
  message: string;
  action: string;
  /** The values in the message. */
  parameters?: Record<string, string | number | null> | undefined;
}

export interface Overview {
  version: string;
  started: number;
  now: number;
  generation: number;
  /** The data directory, and the bytes of its disk if the system tells. */
  data: { dir: string; free: number | null; total: number | null };
  /** `since`: when it went out of reach. `outbox`: changes that are not in the space yet. */
  space: { name: string; reachable: boolean; reason: string | null; since: number | null; outbox: number };
  /** Bytes of the process, or null if the system does not tell. */
  memory: number | null;
  connections: number;
  subscribers: number;
  seconds: Second[];
  warnings: Warning[];
}
