/** Transfers: seen live, held and continued. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { call, Server } from "./harness/server";
import { test } from "./harness/visit";
import { until } from "./harness/wait";

describe("the page Transfers", () => {
  let server: Server;

  /** A server whose uploads are slow enough to be seen. */
  beforeAll(async () => {
    server = await Server.start();
    await call(server.url, "transferApi/setLimits", { uploadBytesPerSecond: 1_000_000 });
  });

  afterAll(() => server?.remove());

  test("an upload to the space moves, is paused, goes on and ends", async ({ visit }) => {
    const page = await visit({ server: server.address, page: "transfers" });
    const query = new URLSearchParams({ platform: "3", name: "Film.bin" });
    const sent = await fetch(`${server.url}/files?${query}`, {
      method: "PUT",
      body: new Uint8Array(randomBytes(8_000_000)),
    });
    expect(sent.status).toBe(200);
    const row = page.getByRole("row").filter({ hasText: "Film.bin" });
    const progress = row.getByRole("progressbar");
    const value = async () => Number(await progress.getAttribute("aria-valuenow"));
    const first = await until("the first bytes", value);
    const later = await until("more bytes", async () => (await value()) > first && value());
    expect(later).toBeLessThan(100);

    await row.getByRole("button", { name: /^Pause/ }).click();
    await row.getByText("Paused").waitFor();
    const [paused] = (await call(server.url, "transferApi/listTasks", { page: 1, pageSize: 10 })) as {
      status: number;
    }[];
    await call(server.url, "transferApi/setLimits", { uploadBytesPerSecond: 0 });
    await row.getByRole("button", { name: /^Resume/ }).click();
    await row.getByText("Done").waitFor();
    const [done] = (await call(server.url, "transferApi/listTasks", { page: 1, pageSize: 10 })) as { status: number }[];
    expect(done?.status).toBe(1);
    expect(paused?.status).not.toBe(1);
  });
});
