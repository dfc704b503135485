import { afterEach, expect, test, vi } from "vitest";
import * as connection from "./connection";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test("waits double up to eight seconds and are random between half and all", () => {
  expect([0, 1, 2, 3, 4, 9].map((n) => connection.backoff(n, () => 1))).toEqual([500, 1000, 2000, 4000, 8000, 8000]);
  expect([0, 4].map((n) => connection.backoff(n, () => 0))).toEqual([250, 4000]);
});

test("a server that is away is asked until it answers, once at a time", async () => {
  vi.useFakeTimers();
  vi.stubGlobal("addEventListener", () => {});
  vi.stubGlobal("removeEventListener", () => {});
  vi.stubGlobal("document", { addEventListener: () => {}, removeEventListener: () => {}, hidden: false });
  let away = 3;
  const fetch = vi.fn(async () => {
    if (away-- > 0) throw new TypeError("Failed to fetch");
    return Response.json({ version: "0.1.0", tokenRequired: false });
  });
  vi.stubGlobal("fetch", fetch);
  const before = connection.comebacks.value;
  connection.lost();
  connection.lost();
  await vi.advanceTimersByTimeAsync(0);
  expect(connection.online.value).toBe(false);
  await vi.runAllTimersAsync();
  expect(connection.online.value).toBe(true);
  expect(connection.comebacks.value).toBe(before + 1);
  expect(fetch).toHaveBeenCalledTimes(4);
});

test("a server of another version makes the page outdated", async () => {
  connection.info.value = { version: "0.1.0", tokenRequired: false };
  vi.stubGlobal("fetch", async () => Response.json({ version: "0.2.0", tokenRequired: false }));
  expect(await connection.probe()).toBe(true);
  expect(connection.outdated.value).toBe(true);
});

test("a request that fails alone makes nothing wait", async () => {
  vi.stubGlobal("fetch", async () => Response.json({ version: "0.1.0", tokenRequired: false }));
  const before = connection.comebacks.value;
  const seen: boolean[] = [];
  const stop = connection.online.subscribe((value) => seen.push(value));
  connection.lost();
  await new Promise((resolve) => setImmediate(resolve));
  stop();
  expect(seen).toEqual([true]);
  expect(connection.comebacks.value).toBe(before);
});
