/** The calls of the admin API that this page makes. */
import type { Canary, CheckReport, HistoryEntry, Log, Migration, Modules, Shadow, Swap } from "../../admin";
import { admin, type Parameters } from "../../server";

/** The server's limits, in bytes. */
export const mostModuleBytes = 64 * 1024 * 1024;
export const mostBodyBytes = 128 * 1024 * 1024;

/** A module to load. */
export interface Upload {
  name: string;
  file: File;
}

export interface SwapOptions {
  /** In seconds. */
  probation?: number;
  maxFaults?: number;
  maxErrors?: number;
}

export interface CanaryOptions {
  percent: number;
  /** All if it is empty. */
  methods: string[];
  maxFaults?: number;
  maxErrors?: number;
}

export const list = (signal?: AbortSignal) => admin.get<Modules>("modules", {}, signal);

export const history = (limit: number, signal?: AbortSignal) =>
  admin.get<{ history: HistoryEntry[] }>("history", { limit }, signal);

export const migration = (signal?: AbortSignal) => admin.get<{ migration: Migration | null }>("migration", {}, signal);

export const log = (name: string, after: number, signal?: AbortSignal) =>
  admin.get<Log>(`modules/${encodeURIComponent(name)}/log`, { after, limit: 200 }, signal);

/** With the answers of the calls that differ, which the list of modules leaves out. */
export const shadowReport = (name: string, signal?: AbortSignal) =>
  admin.get<Shadow>(`modules/${encodeURIComponent(name)}/shadow`, {}, signal);

export const check = (upload: Upload) => send<CheckReport>("modules/check", [upload], {});

export const swap = (uploads: readonly Upload[], options: SwapOptions, force: boolean) =>
  send<Swap>("modules/swap", uploads, { ...options, force });

export const shadow = (upload: Upload, percent: number) => send<Shadow>("modules/shadow", [upload], { percent });

export const canary = (upload: Upload, { methods, ...options }: CanaryOptions, force: boolean) =>
  send<Canary>("modules/canary", [upload], { ...options, method: methods, force });

export const share = (name: string, percent: number) => admin.post<Canary>("modules/canary/percent", { name, percent });

export const promote = (name: string, force: boolean) => admin.post<Swap>("modules/promote", { name, force });

export const abort = (name: string) => admin.post("modules/abort", { name });

export const rollback = (to: number) => admin.post<Swap>("modules/rollback", { to });

export const unload = (name: string, force: boolean) => admin.post<Swap>("modules/unload", { name, force });

/** The bytes of all modules follow each other. Their names and sizes are in the query. */
function send<T>(path: string, uploads: readonly Upload[], options: Parameters): Promise<T> {
  const files = uploads.map(({ file }) => file);
  const query: Parameters = { name: uploads.map(({ name }) => name), from: files.map(({ name }) => name), ...options };
  if (uploads.length > 1) query["size"] = files.map(({ size }) => size);
  return admin.send<T>(path, query, new Blob(files));
}
