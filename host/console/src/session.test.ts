import { afterEach, beforeEach, expect, test, vi } from "vitest";
import * as session from "./session";

const day = 24 * 3600 * 1000;
let storage: Map<string, string>;
let replaced: string[];

/** A browser tab at an address, and a server that gives these answers in turn. */
function tab(hash: string, answers: (Response | Error)[]) {
  const fetch = vi.fn((..._: Parameters<typeof globalThis.fetch>) => {
    const next = answers.shift();
    if (next === undefined) throw new Error("an unexpected request");
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
  });
  vi.stubGlobal("location", { hash });
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

function granted(token: string, until = Date.now() + 7 * day): Response {
  return Response.json({ token, until });
}

function refused(status: number, message: string): Response {
  return Response.json({ error: { message } }, { status });
}

beforeEach(() => {
  storage = new Map();
  replaced = [];
  vi.stubGlobal("sessionStorage", {
    getItem: (key: string) => storage.get(key) ?? null,
    setItem: (key: string, value: string) => storage.set(key, value),
    removeItem: (key: string) => storage.delete(key),
  });
  vi.stubGlobal("history", { replaceState: (_: unknown, __: string, url: string) => replaced.push(url) });
  session.state.value = { name: "opening" };
});

afterEach(() => vi.unstubAllGlobals());

test("a secret is changed for a token and leaves the address before the answer comes", async () => {
  const fetch = tab("#key=c2VjcmV0LXNlY3JldA", [granted("t1")]);
  const opened = session.open();
  expect(replaced).toEqual(["#/overview"]);
  await opened;
  expect(session.token()).toBe("t1");
  expect(fetch.mock.calls[0]?.[1]?.body).toBe('{"secret":"c2VjcmV0LXNlY3JldA"}');
  expect([...storage.values()].join()).not.toContain("c2VjcmV0");
});

test("a page that is loaded again keeps its session and asks nothing", async () => {
  storage.set("stowage.session", JSON.stringify({ token: "t1", until: Date.now() + 6 * day }));
  tab("#/files", []);
  await session.open();
  expect(session.token()).toBe("t1");
});

test("a session whose time is half over is renewed with its own token", async () => {
  storage.set("stowage.session", JSON.stringify({ token: "old", until: Date.now() + 3 * day }));
  const fetch = tab("#/files", [granted("new")]);
  await session.open();
  expect(session.token()).toBe("new");
  expect(fetch.mock.calls[0]?.[1]).toMatchObject({ body: "{}", headers: { authorization: "Bearer old" } });
});

test("without the server a session that could be renewed goes on", async () => {
  storage.set("stowage.session", JSON.stringify({ token: "old", until: Date.now() + 3 * day }));
  tab("#/files", [new TypeError("Failed to fetch")]);
  await session.open();
  expect(session.token()).toBe("old");
});

test("a secret that was used says so and keeps nothing", async () => {
  storage.set("stowage.session", JSON.stringify({ token: "old", until: Date.now() + 6 * day }));
  tab("#key=c2VjcmV0LXNlY3JldA", [refused(401, "this link was used")]);
  await session.open();
  expect(session.state.value).toEqual({ name: "locked", reason: "refused" });
  expect(storage.size).toBe(0);
});

test("another refusal shows what the server says", async () => {
  tab("#key=c2VjcmV0LXNlY3JldA", [refused(403, "Origin: not allowed")]);
  await session.open();
  expect(session.state.value).toEqual({ name: "locked", reason: "refused", message: "Origin: not allowed" });
});

test("a new secret counts more than a session that is stored", async () => {
  storage.set("stowage.session", JSON.stringify({ token: "old", until: Date.now() + 6 * day }));
  tab("#key=c2VjcmV0LXNlY3JldA", [granted("new")]);
  await session.open();
  expect(session.token()).toBe("new");
});

test("without the server a secret is kept to be tried again", async () => {
  tab("#key=c2VjcmV0LXNlY3JldA", [new TypeError("Failed to fetch"), refused(503, "busy"), granted("t1")]);
  await session.open();
  expect(session.state.value).toEqual({ name: "waiting", secret: "c2VjcmV0LXNlY3JldA" });
  await session.exchange("c2VjcmV0LXNlY3JldA");
  expect(session.state.value.name).toBe("waiting");
  await session.exchange("c2VjcmV0LXNlY3JldA");
  expect(session.token()).toBe("t1");
});

test("without a secret and without a session the page is locked", async () => {
  tab("", []);
  await session.open();
  expect(session.state.value).toEqual({ name: "locked", reason: "none" });
});

test("a stored text that is no session, or an expired one, counts as none", () => {
  const now = 1000;
  for (const text of [null, "", "{", "null", "[]", '{"token":1,"until":2000}', '{"token":"t","until":1000}']) {
    expect(session.stored(text, now)).toBeNull();
  }
  expect(session.stored('{"token":"t","until":1001}', now)).toEqual({ token: "t", until: 1001 });
});

test("only a fragment of the right form is a secret", () => {
  expect(session.secretOf("#key=Abc-_123")).toBe("Abc-_123");
  for (const hash of ["", "#/overview", "#key=", "#key=short", "#key=with space here", "#/x#key=Abc-_123"]) {
    expect(session.secretOf(hash)).toBeNull();
  }
});
