/**
 * Who may in. The server prints a link with a one-time secret in its fragment. The page changes the
 * secret for a token at once and removes it from the address. The token is kept for this tab only.
 */
import { signal } from "@preact/signals";

export interface Session {
  token: string;
  /** When the token expires, in milliseconds since 1970. */
  until: number;
}

/** Why there is no session: nobody gave a secret, it was refused, or the session ended. */
export interface Locked {
  reason: "none" | "refused" | "ended";
  /** What the server says, in English. */
  message?: string | undefined;
}

export type State =
  | { name: "opening" }
  /** The server cannot be reached. The secret is kept and tried again. */
  | { name: "waiting"; secret: string }
  | { name: "open"; session: Session }
  | ({ name: "locked" } & Locked);

const key = "stowage.session";
/** A token is renewed when less than this is left: half of its seven days. */
const renewBefore = 3.5 * 24 * 3600 * 1000;

export const state = signal<State>({ name: "opening" });

export function token(): string | undefined {
  const now = state.value;
  return now.name === "open" ? now.session.token : undefined;
}

/** The secret of a link, or null. */
export function secretOf(fragment: string): string | null {
  const found = /^#key=([A-Za-z0-9_-]{8,256})$/.exec(fragment);
  return found?.[1] ?? null;
}

/** A stored session that has not expired, or null. */
export function stored(text: string | null, now: number): Session | null {
  try {
    const value = JSON.parse(text ?? "null") as Partial<Session> | null;
    if (typeof value?.token !== "string" || typeof value.until !== "number") return null;
    return value.until > now ? { token: value.token, until: value.until } : null;
  } catch {
    return null;
  }
}

export function needsRenewal(session: Session, now: number): boolean {
  return session.until - now < renewBefore;
}

/** Reads the address, then the tab's storage. Call it once, before the first page is shown. */
export async function open(): Promise<void> {
  const secret = takeSecret();
  if (secret) return exchange(secret);
  const session = stored(sessionStorage.getItem(key), Date.now());
  if (!session) {
    state.value = { name: "locked", reason: "none" };
    return;
  }
  state.value = { name: "open", session };
  if (needsRenewal(session, Date.now())) await renew(session);
}

/** A link that is pasted into an open tab works too. */
export function followLinks() {
  addEventListener("hashchange", () => {
    const secret = takeSecret();
    if (secret) void exchange(secret);
  });
  // A tab that stays open for days keeps its session.
  setInterval(() => {
    const now = state.peek();
    if (now.name === "open" && needsRenewal(now.session, Date.now())) void renew(now.session);
  }, 3600 * 1000);
}

/** Forgets the session. The other tabs keep theirs. */
export function lock(why: Locked) {
  sessionStorage.removeItem(key);
  state.value = { name: "locked", ...why };
}

/** Changes a secret for a token. */
export async function exchange(secret: string): Promise<void> {
  const answer = await ask({ secret }).catch(() => null);
  // A server that starts or stops has not used the secret.
  if (answer === null || answer.status >= 500) state.value = { name: "waiting", secret };
  else if (answer.ok) keep((await answer.json()) as Session);
  // 401 is a secret that is wrong or was used. Of anything else the server knows the reason.
  else lock({ reason: "refused", message: answer.status === 401 ? undefined : await messageOf(answer) });
}

async function renew(session: Session): Promise<void> {
  try {
    const answer = await ask({}, session.token);
    if (answer.ok) keep((await answer.json()) as Session);
    else if (answer.status === 401) lock({ reason: "ended" });
  } catch {
    // The server is away. The next hour tries again.
  }
}

function ask(body: object, bearer?: string): Promise<Response> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (bearer) headers["authorization"] = `Bearer ${bearer}`;
  return fetch("/console/session", { method: "POST", headers, body: JSON.stringify(body) });
}

function keep({ token, until }: Session) {
  sessionStorage.setItem(key, JSON.stringify({ token, until }));
  state.value = { name: "open", session: { token, until } };
}

/** Removes the secret from the address and from the history of the tab. */
function takeSecret(): string | null {
  const secret = secretOf(location.hash);
  if (secret) history.replaceState(null, "", "#/overview");
  return secret;
}

async function messageOf(answer: Response): Promise<string | undefined> {
  try {
    const body = (await answer.json()) as { error?: { message?: string } };
    return body.error?.message;
  } catch {
    return undefined;
  }
}
