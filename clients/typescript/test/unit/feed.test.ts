import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import {
  type Feed,
  type FeedChange,
  type FeedState,
  type Gap,
  Stowage,
  StowageError,
  type Subscription,
} from "../../src/index.js";
import { FakeServer, row } from "../harness/fake_server.js";
import { until } from "../harness/wait.js";

const UPLOADS: Subscription = { type: 0, platform: 3 };
const DOWNLOADS: Subscription = { type: 1, platform: 3 };
/** The tests do not wait between connections. */
const AT_ONCE = { firstMs: 0, mostMs: 0 };

let server: FakeServer;
let feeds: Feed[];

beforeEach(async () => {
  server = await FakeServer.start();
  feeds = [];
});

afterEach(async () => {
  for (const feed of feeds) {
    await feed[Symbol.asyncDispose]();
  }
  await server[Symbol.asyncDispose]();
});

function follow(
  subscriptions: Subscription | Subscription[],
  options: Parameters<Stowage["feed"]>[1] = {},
  token?: string | (() => string),
): Feed {
  const stowage = new Stowage({ url: server.url, WebSocket, token });
  const feed = stowage.feed(subscriptions, { key: "mine", retry: AT_ONCE, ...options });
  feeds.push(feed);
  return feed;
}

/** What a feed tells with its events. */
function record(feed: Feed): { changes: FeedChange[]; states: FeedState[]; gaps: Gap[] } {
  const told = { changes: [] as FeedChange[], states: [] as FeedState[], gaps: [] as Gap[] };
  feed.addEventListener("change", ({ detail }) => told.changes.push(detail));
  feed.addEventListener("state", ({ detail }) => told.states.push(detail));
  feed.addEventListener("gap", ({ detail }) => told.gaps.push(detail));
  return told;
}

function tasks(feed: Feed): string[] {
  return [...feed.tasks.values()].map(({ taskId, progress }) => `${taskId}:${progress}`).sort();
}

describe("a connection", () => {
  test("is made after every key is subscribed", async () => {
    follow([UPLOADS, { ...DOWNLOADS, status: 1 }]);
    const connection = await server.connection();
    expect(server.log.slice(0, 2).sort()).toEqual(["subscribe mine-1", "subscribe mine-2"]);
    expect(server.log[2]).toBe("connect mine-1,mine-2");
    expect(connection.keys).toEqual(["mine-1", "mine-2"]);
    expect(server.subscribed).toContainEqual({ key: "mine-1", type: 0, platform: 3, status: null });
    expect(server.subscribed).toContainEqual({ key: "mine-2", type: 1, platform: 3, status: 1 });
  });

  test("begins with a snapshot, and has changes after it", async () => {
    const feed = follow(UPLOADS);
    const told = record(feed);
    const connection = await server.connection();
    connection.frame("mine", [row("a"), row("b")]);
    connection.frame("mine", [row("b", 50)]);
    await until("two changes", () => told.changes.length === 2);
    expect(told.changes).toEqual([
      { key: "mine", subscription: UPLOADS, rows: [row("a"), row("b")], snapshot: true },
      { key: "mine", subscription: UPLOADS, rows: [row("b", 50)], snapshot: false },
    ]);
    expect(tasks(feed)).toEqual(["a:0", "b:50"]);
    expect(feed.state).toBe("open");
  });

  test("is made again after it was lost, and its snapshot forgets what is gone", async () => {
    const feed = follow(UPLOADS);
    const told = record(feed);
    const first = await server.connection();
    first.frame("mine", [row("a"), row("b")]);
    await until("the snapshot", () => told.changes.length === 1);
    first.drop();
    const second = await server.connection();
    expect(server.log.slice(2)).toEqual(["subscribe mine", "connect mine"]);
    second.frame("mine", [row("b", 100, 1), row("c")]);
    await until("the second snapshot", () => told.changes.length === 2);
    expect(told.changes[1]?.snapshot).toBe(true);
    expect(tasks(feed)).toEqual(["b:100", "c:0"]);
    expect(told.states).toEqual(["open", "waiting", "connecting", "open"]);
    expect(String(feed.error)).toContain("closed");
  });

  test("is made again after the server has closed it", async () => {
    const feed = follow(UPLOADS);
    (await server.connection()).close();
    await server.connection();
    expect(String(feed.error)).toContain("the server stops");
  });

  test("is made again after a text that is no frame", async () => {
    const bad = [
      "[]",
      "{",
      '{"key":"mine","code":200,"data":null,"seq":1}',
      '{"key":"mine","code":200,"data":[{}],"seq":1}',
    ];
    const feed = follow(UPLOADS);
    const told = record(feed);
    for (const text of bad) {
      (await server.connection()).text(text);
    }
    (await server.connection()).text(Buffer.from("bytes"));
    await server.connection();
    expect(told.changes).toEqual([]);
    expect(feed.error).toBeInstanceOf(StowageError);
  });
});

describe("a gap", () => {
  test("in the numbers of a key is told, and a snapshot is fetched", async () => {
    const feed = follow([UPLOADS, DOWNLOADS]);
    const told = record(feed);
    const first = await server.connection();
    first.frame("mine-1", [row("a")]);
    first.frame("mine-2", [row("b")]);
    first.lose("mine-1", 2);
    first.frame("mine-1", [row("a", 99)]);
    const second = await server.connection();
    expect(told.gaps).toEqual([{ key: "mine-1", expected: 2, received: 4 }]);
    expect(tasks(feed)).toEqual(["a:0", "b:0"]);
    second.frame("mine-1", [row("a", 100, 1)]);
    await until("the snapshot", () => tasks(feed)[0] === "a:100");
    expect(told.changes.at(-1)?.snapshot).toBe(true);
  });

  test("before the first frame is noticed", async () => {
    const told = record(follow(UPLOADS));
    const first = await server.connection();
    first.lose("mine", 1);
    first.frame("mine", [row("a")]);
    await server.connection();
    expect(told.gaps).toEqual([{ key: "mine", expected: 1, received: 2 }]);
    expect(told.changes).toEqual([]);
  });

  test("is a frame that comes twice, too", async () => {
    const told = record(follow(UPLOADS));
    const first = await server.connection();
    first.frame("mine", [row("a")]);
    first.lose("mine", -1);
    first.frame("mine", [row("a")]);
    await server.connection();
    expect(told.gaps).toEqual([{ key: "mine", expected: 2, received: 1 }]);
  });
});

describe("an error", () => {
  test.each([
    { status: 401, code: 700, message: "Authorization: expected the server's bearer token" },
    { status: 403, code: 700, message: "Origin: this origin may not call the API" },
    { status: 200, code: 600, message: "platform: expected 0 to 4" },
    { status: 200, code: 300, message: "no such method" },
  ])("that stays the same ends the feed: status $status, code $code", async (answer) => {
    server.answers = [answer];
    const feed = follow(UPLOADS);
    const told = record(feed);
    const loop = feed.changes();
    await expect(loop.next()).rejects.toMatchObject({ ...answer, message: expect.stringContaining(answer.message) });
    expect(await loop.next()).toEqual({ done: true, value: undefined });
    expect(feed.error).toBeInstanceOf(StowageError);
    expect(told.states).toEqual(["closed"]);
    expect(server.log).toEqual(["subscribe mine"]);
  });

  test("that can pass is tried again", async () => {
    server.answers = [
      { status: 503, code: 700, message: "too many connections" },
      { status: 200, code: 500, message: "failed" },
      { status: 200, code: 200, message: null },
    ];
    follow(UPLOADS);
    await server.connection();
    expect(server.log).toEqual(["subscribe mine", "subscribe mine", "subscribe mine", "connect mine"]);
  });

  test("in a frame is told", async () => {
    const feed = follow(UPLOADS);
    (await server.connection()).text('{"key":"mine","code":600,"message":"no","data":null,"seq":1}');
    await until("the end", () => feed.state === "closed");
    expect(feed.error).toMatchObject({ code: 600 });
  });

  test("of a later loop is that of the feed", async () => {
    server.answers = [{ status: 401, code: 700, message: "no" }];
    const feed = follow(UPLOADS);
    await until("the end", () => feed.state === "closed");
    await expect(feed[Symbol.asyncIterator]().next()).rejects.toMatchObject({ status: 401 });
  });
});

describe("a loop", () => {
  test("closes the feed when it is left", async () => {
    const feed = follow(UPLOADS);
    const connection = await server.connection();
    connection.frame("mine", [row("a")]);
    for await (const { rows } of feed) {
      expect(rows).toEqual([row("a")]);
      break;
    }
    expect(feed.state).toBe("closed");
    expect(feed.error).toBeUndefined();
    await until("the end of the connection", () => !connection.isOpen);
  });

  test("over changes() leaves the feed open, and a later one begins with what is known", async () => {
    const feed = follow(UPLOADS);
    const connection = await server.connection();
    connection.frame("mine", [row("a")]);
    for await (const change of feed.changes()) {
      expect(change.snapshot).toBe(true);
      break;
    }
    connection.frame("mine", [row("a", 5)]);
    await until("the change", () => tasks(feed)[0] === "a:5");
    for await (const change of feed.changes()) {
      expect(change).toEqual({ key: "mine", subscription: UPLOADS, rows: [row("a", 5)], snapshot: true });
      break;
    }
    expect(feed.state).toBe("open");
  });

  test("ends when the feed is closed", async () => {
    const feed = follow(UPLOADS);
    const waiting = feed.changes().next();
    feed.close();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(server.connections.every(({ isOpen }) => !isOpen)).toBe(true);
  });
});

describe("a feed", () => {
  test("is closed by its signal", async () => {
    const controller = new AbortController();
    const feed = follow(UPLOADS, { signal: controller.signal });
    const told = record(feed);
    const connection = await server.connection();
    controller.abort();
    expect(told.states.at(-1)).toBe("closed");
    await until("the end of the connection", () => !connection.isOpen);
  });

  test("with a signal that was aborted before never connects", async () => {
    const feed = follow(UPLOADS, { signal: AbortSignal.abort() });
    for await (const _ of feed) {
      expect.unreachable();
    }
    await feed[Symbol.asyncDispose]();
    expect(server.log).toEqual([]);
  });

  test("sends its token with each request, and asks for it each time", async () => {
    const tokens = ["first", "second", "third", "fourth"];
    follow(UPLOADS, {}, () => tokens.shift() ?? "none");
    const first = await server.connection();
    expect(first.protocol).toBe("stowage.bearer.second");
    first.drop();
    const second = await server.connection();
    expect(second.protocol).toBe("stowage.bearer.fourth");
    expect(server.authorizations).toEqual(["Bearer first", "Bearer third"]);
  });

  test("with a token that no websocket can carry ends with an error", async () => {
    const feed = follow(UPLOADS, {}, "not a token");
    await until("the end", () => feed.state === "closed");
    expect(feed.error).toMatchObject({ name: "SyntaxError" });
  });

  test("has a random key, if it is given none", async () => {
    follow(UPLOADS, { key: undefined });
    follow(UPLOADS, { key: undefined });
    const keys = [(await server.connection()).keys[0], (await server.connection()).keys[0]];
    expect(keys[0]).toMatch(/^feed-[0-9a-f]{32}$/);
    expect(keys[1]).not.toBe(keys[0]);
  });

  test("follows at least one subscription and at most 64", () => {
    expect(() => follow([])).toThrow("subscriptions: expected 1 to 64, got 0");
    expect(() => follow(Array.from({ length: 65 }, () => UPLOADS))).toThrow("got 65");
  });

  test("says what to do where there is no WebSocket", () => {
    vi.stubGlobal("WebSocket", undefined);
    expect(() => new Stowage({ url: server.url }).feed(UPLOADS)).toThrow('Install the package "ws"');
    vi.unstubAllGlobals();
  });

  test("connects again if no snapshot comes in time", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const feed = follow([UPLOADS, DOWNLOADS]);
      const first = await server.connection();
      first.frame("mine-1", [row("a")]);
      await until("the first frame", () => feed.tasks.size === 1);
      vi.advanceTimersByTime(60_000);
      await until("the second connection", async () => {
        vi.advanceTimersByTime(1);
        return server.connections.length === 2;
      });
      expect(String(feed.error)).toContain("no snapshot in time");
      expect(first.isOpen).toBe(false);
    } finally {
      vi.useRealTimers();
    }
  });
});
