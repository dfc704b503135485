/** The server: its API by `stowage-client`, and its admin API. */
import { Stowage } from "stowage-client";
import type { CheckReport } from "./admin";
import * as connection from "./connection";
import * as session from "./session";

let leaving = false;
globalThis.addEventListener?.("pagehide", () => {
  leaving = true;
});
globalThis.addEventListener?.("pageshow", () => {
  leaving = false;
});

/**
 * `fetch` with the session. A request without an answer starts the wait for the server. An answer
 * 401 ends the session: nothing works without one. What is sent while the page is closed outlives it.
 */
export const request: typeof fetch = async (input, init) => {
  const made = new Request(input, leaving ? { ...init, keepalive: true } : init);
  const token = session.token();
  if (token) made.headers.set("authorization", `Bearer ${token}`);
  let answer: Response;
  try {
    answer = await fetch(made);
  } catch (error) {
    if (!made.signal.aborted) connection.lost();
    throw error;
  }
  if (answer.status === 401) session.lock({ reason: "ended" });
  return answer;
};

/** The client of the API. */
export const stowage = new Stowage({ url: location.origin, token: session.token, fetch: request });

/** Sends and gets files. It shows the progress of an upload, which `fetch` does not tell. */
export const { files } = new Stowage({ url: location.origin, token: session.token });

/** A refusal of the admin API. */
export class AdminError extends Error {
  override name = "AdminError";
  constructor(
    readonly status: number,
    message: string,
    /** What the check of a module found. */
    readonly report?: CheckReport,
  ) {
    super(message);
  }
}

type Parameter = string | number | boolean;
export type Parameters = Record<string, Parameter | readonly Parameter[] | undefined>;

export const admin = {
  /** `path` begins after `/admin/`. */
  get: <T>(path: string, query: Parameters = {}, signal?: AbortSignal) =>
    adminCall<T>("GET", path, query, undefined, signal),
  post: <T>(path: string, body: object = {}) => adminCall<T>("POST", path, {}, JSON.stringify(body)),
  delete: <T>(path: string) => adminCall<T>("DELETE", path, {}),
  /** Sends the bytes of modules. */
  send: <T>(path: string, query: Parameters, modules: Blob, signal?: AbortSignal) =>
    adminCall<T>("POST", path, query, modules, signal),
};

async function adminCall<T>(
  method: string,
  path: string,
  query: Parameters,
  body?: string | Blob,
  signal?: AbortSignal,
): Promise<T> {
  const url = new URL(`/admin/${path}`, location.origin);
  for (const [name, values] of Object.entries(query)) {
    for (const value of [values].flat()) {
      if (value !== undefined) url.searchParams.append(name, String(value));
    }
  }
  const init: RequestInit = { method, signal: signal ?? null };
  if (body !== undefined) {
    init.body = body;
    const type = typeof body === "string" ? "application/json" : "application/wasm";
    init.headers = { "content-type": type };
  }
  const answer = await request(url, init);
  const text = await answer.text();
  if (answer.ok) return (text ? JSON.parse(text) : {}) as T;
  throw refusal(answer.status, text);
}

/** The refusal that an error's body describes. A body of another form is shown as it is. */
export function refusal(status: number, text: string): AdminError {
  try {
    const { error } = JSON.parse(text) as { error: { message: string; report?: CheckReport } };
    return new AdminError(status, error.message, error.report ?? undefined);
  } catch {
    return new AdminError(status, text || `HTTP ${status}`);
  }
}
