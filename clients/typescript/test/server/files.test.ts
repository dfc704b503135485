import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type FileProgress, Stowage } from "../../src/index.js";
import { bytes, same } from "../harness/bytes.js";
import { expectGrowing } from "../harness/outcome.js";
import { Program } from "../harness/program.js";
import { until } from "../harness/wait.js";

let program: Program;
let stowage: Stowage;

beforeAll(async () => {
  program = await Program.start();
  stowage = new Stowage({ url: program.url, WebSocket });
});

afterAll(() => program[Symbol.asyncDispose]());

/** The status of a task. */
async function status(taskId: string): Promise<number | undefined> {
  const tasks = await stowage.call("transferApi/listTasks", { page: 1, pageSize: 1000 });
  return tasks.find((task) => task.taskId === taskId)?.status;
}

/** Reads a file, once its upload has ended. */
async function stored(hash: string, options: Parameters<Stowage["files"]["get"]>[1] = {}): Promise<Uint8Array> {
  await until("the upload", async () => {
    const response = await fetch(stowage.files.url(hash), { method: "HEAD" });
    return response.ok || response.status === 403;
  });
  return new Uint8Array(await (await stowage.files.get(hash, options)).arrayBuffer());
}

describe("a file in one piece", () => {
  const content = bytes(200_000, 21);

  test.each([
    ["bytes", () => content],
    ["a blob", () => new Blob([content])],
    ["a file with its own name", () => new File([content], "named.bin")],
    ["a stream", () => new Blob([content]).stream()],
  ])("is sent as %s", async (kind, body) => {
    const name = kind.includes("name") ? undefined : "一.bin";
    const { hash, taskId } = await stowage.files.put(body(), { platform: 3, name });
    expect(await status(taskId)).toBeDefined();
    expect(same(await stored(hash), content)).toBe(true);
  });

  test("is sent as a text", async () => {
    const { hash } = await stowage.files.put("你好", { platform: 3, name: "hello.txt" });
    expect(new TextDecoder().decode(await stored(hash))).toBe("你好");
  });

  test("that is empty is sent, too", async () => {
    const progress: FileProgress[] = [];
    const { hash } = await stowage.files.put(
      "",
      { platform: 3, name: "empty" },
      { onProgress: (p) => progress.push(p) },
    );
    expect((await stored(hash)).byteLength).toBe(0);
    expect(progress).toEqual([{ loaded: 0, total: 0 }]);
  });

  test("tells its progress, also as a stream of unknown length", async () => {
    const large = bytes(5_000_000, 22);
    const progress: FileProgress[] = [];
    const stream = new Blob([large]).stream();
    await stowage.files.put(stream, { platform: 3, name: "s.bin" }, { onProgress: (p) => progress.push(p) });
    expect(progress.length).toBeGreaterThan(1);
    expect(progress.at(-1)).toEqual({ loaded: large.byteLength, total: null });
  });

  test("with a password can be read with it only", async () => {
    const password = "芝麻开门";
    const { hash } = await stowage.files.put(content, { platform: 3, name: "secret.bin" }, { password });
    expect(same(await stored(hash, { password }), content)).toBe(true);
    expect(same(await stored(hash), content)).toBe(false);
    await expect(stowage.files.get(hash, { password: "wrong" })).rejects.toMatchObject({ code: 60004, status: 403 });
  });

  test("that the server refuses throws its message", async () => {
    const large = bytes(8_000_000, 23);
    const refused = { method: "PUT /files", code: 600, status: 400 };
    await expect(stowage.files.put(large, { platform: 9, name: "x" })).rejects.toMatchObject(refused);
    await expect(stowage.files.put(new Blob([large]).stream(), { platform: 3 })).rejects.toMatchObject({
      ...refused,
      reason: expect.stringContaining("name"),
    });
  });

  test("can be aborted, and leaves nothing", async () => {
    const controller = new AbortController();
    const body = new ReadableStream<Uint8Array>({
      pull(stream) {
        stream.enqueue(bytes(1 << 16, 24));
      },
    });
    const onProgress = ({ loaded }: FileProgress) => loaded > 1_000_000 && controller.abort(new Error("enough"));
    const sending = stowage.files.put(
      body,
      { platform: 3, name: "endless" },
      { signal: controller.signal, onProgress },
    );
    await expect(sending).rejects.toThrow("enough");
    const files = await stowage.call("transferApi/listStorageFiles", { keyword: "endless", page: 1, pageSize: 10 });
    expect(files).toEqual([]);
  });
});

describe("reading", () => {
  const content = bytes(3_000_000, 25);
  let hash = "";

  beforeAll(async () => {
    ({ hash } = await stowage.files.put(content, { platform: 3, name: "read.bin" }));
    await stored(hash);
  });

  test("a part gets the bytes before its end", async () => {
    const part = await stowage.files.get(hash, { range: { start: 10, end: 20 } });
    expect([part.status, part.headers.get("content-range")]).toEqual([206, "bytes 10-19/3000000"]);
    const rest = await stowage.files.get(hash, { range: { start: 2_999_990 } });
    expect(same(new Uint8Array(await rest.arrayBuffer()), content.subarray(2_999_990))).toBe(true);
  });

  test("tells its progress, and keeps status and headers", async () => {
    const progress: FileProgress[] = [];
    const response = await stowage.files.get(hash, {
      range: { start: 0, end: 2_000_000 },
      onProgress: (p) => progress.push(p),
    });
    expect(response.status).toBe(206);
    expect(response.headers.get("etag")).toContain(hash);
    await response.arrayBuffer();
    expectGrowing(progress, 2_000_000);
  });

  test("what is not there throws", async () => {
    const missing = stowage.files.get("HMA6Brkfir2AZsLAvKhGi1Hp4rWcxeACmVG1At4pV9ur");
    await expect(missing).rejects.toMatchObject({ code: 60001, status: 404, method: "GET /files/HASH" });
    const behind = stowage.files.get(hash, { range: { start: 3_000_000 } });
    await expect(behind).rejects.toMatchObject({ status: 416 });
  });

  test.each([{ start: -1 }, { start: 1.5 }, { start: 5, end: 5 }, { start: 5, end: Number.NaN }])(
    "the part %j is refused",
    async (range) => {
      await expect(stowage.files.get(hash, { range })).rejects.toThrow("range: expected whole numbers");
    },
  );

  test("an address names the platform, if one is given", () => {
    expect(stowage.files.url("HMA6/x")).toBe(`${program.url}/files/HMA6%2Fx`);
    expect(stowage.files.url(hash, { platform: 3 })).toBe(`${program.url}/files/${hash}?platform=3`);
  });
});

describe("a resumable upload", () => {
  test("goes on after the server was killed and started again", async () => {
    const content = bytes(40_000_000, 26);
    const progress: FileProgress[] = [];
    let restarted: Promise<void> | undefined;
    const { hash } = await stowage.files.resumable(
      new Blob([content]),
      { platform: 3, name: "resumed.bin" },
      {
        retryDelaysMs: Array.from({ length: 100 }, () => 100),
        onProgress: (now) => {
          progress.push(now);
          if (now.loaded > 20_000_000) {
            restarted ??= program.restart();
          }
        },
      },
    );
    expect(restarted).toBeDefined();
    await restarted;
    const back = progress.findIndex(({ loaded }, index) => loaded < (progress[index - 1]?.loaded ?? 0));
    // The server kept the pieces that were complete.
    expect(progress[back]?.loaded).toBeGreaterThanOrEqual(8 << 20);
    expect(progress.at(-1)).toEqual({ loaded: content.byteLength, total: content.byteLength });
    expect(same(await stored(hash), content)).toBe(true);
  });

  test("of an empty file works", async () => {
    const { hash } = await stowage.files.resumable(new Blob([]), { platform: 3, name: "nothing" });
    expect((await stored(hash)).byteLength).toBe(0);
  });

  test("with a password is encrypted", async () => {
    const content = bytes(100_000, 27);
    const { hash } = await stowage.files.resumable(
      new Blob([content]),
      { platform: 3, name: "locked" },
      { password: "我" },
    );
    expect(same(await stored(hash, { password: "我" }), content)).toBe(true);
  });

  test("that the server refuses throws its message", async () => {
    const sending = stowage.files.resumable(new Blob(["x"]), { platform: 3 });
    await expect(sending).rejects.toMatchObject({ code: 600, status: 400, reason: expect.stringContaining("name") });
  });

  test("can be aborted", async () => {
    const controller = new AbortController();
    const sending = stowage.files.resumable(
      new Blob([bytes(20_000_000, 28)]),
      { platform: 3, name: "aborted" },
      { signal: controller.signal, onProgress: () => controller.abort(new Error("enough")) },
    );
    await expect(sending).rejects.toThrow("enough");
    await expect(
      stowage.files.resumable(new Blob(["x"]), { platform: 3, name: "n" }, { signal: AbortSignal.abort() }),
    ).rejects.toThrow("aborted");
  });
});
