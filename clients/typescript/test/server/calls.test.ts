import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Stowage, StowageError } from "../../src/index.js";
import { Program } from "../harness/program.js";

let program: Program;
let stowage: Stowage;

beforeAll(async () => {
  program = await Program.start("--token", "open-sesame");
  stowage = new Stowage({ url: `${program.url}/`, token: "open-sesame" });
});

afterAll(() => program[Symbol.asyncDispose]());

describe("a call", () => {
  test("returns the data of its answer", async () => {
    const folders = await stowage.call("getImFavoriteFolders", { page: 1, pageSize: 10 });
    expect(folders.map(({ name }) => name)).toEqual(["我的收藏", "旅行", "工作资料"]);
    expect(await stowage.call("initStorage$IMDataFromSdk")).toBeNull();
  });

  test("without parameters sends an empty object", async () => {
    expect((await stowage.call("getStorageSpaceInfo")).totalSize).toBe("10 GB");
  });

  test("that fails throws code, message and method", async () => {
    const call = stowage.call("createImFavoriteFolder", { name: "旅行" });
    await expect(call).rejects.toBeInstanceOf(StowageError);
    await expect(call).rejects.toMatchObject({
      name: "StowageError",
      code: 60002,
      status: 200,
      method: "createImFavoriteFolder",
    });
  });

  test("with a wrong parameter names it", async () => {
    const call = stowage.call("getImFavoriteFolders", { page: 0, pageSize: 10 });
    await expect(call).rejects.toMatchObject({ code: 600, reason: expect.stringContaining("page") });
  });

  test("that is refused throws the status", async () => {
    const stranger = new Stowage({ url: program.url, token: "wrong" });
    const refused = { status: 401, reason: expect.stringContaining("Authorization"), isTemporary: false };
    await expect(stranger.call("getStorageSpaceInfo")).rejects.toMatchObject(refused);
    const nobody = new Stowage({ url: program.url, token: () => undefined });
    await expect(nobody.call("getStorageSpaceInfo")).rejects.toMatchObject(refused);
  });

  test("passes on what fetch throws when there is no server", async () => {
    const listener = createServer().listen(0, "127.0.0.1");
    await once(listener, "listening");
    const { port } = listener.address() as AddressInfo;
    listener.close();
    await once(listener, "close");
    const call = new Stowage({ url: `http://127.0.0.1:${port}` }).call("getStorageSpaceInfo");
    await expect(call).rejects.toBeInstanceOf(TypeError);
    await expect(call).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
  });

  test("can be aborted", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(stowage.call("getStorageSpaceInfo", {}, { signal })).rejects.toThrow("enough");
  });

  test("that another server answers says what it got", async () => {
    const page = () => Promise.resolve(new Response("<html>Bad Gateway</html>", { status: 502 }));
    const proxied = new Stowage({ url: program.url, fetch: page });
    await expect(proxied.call("getStorageSpaceInfo")).rejects.toMatchObject({
      code: 0,
      status: 502,
      isTemporary: true,
      message: expect.stringContaining("<html>Bad Gateway</html>"),
    });
  });
});

test("the raw client answers with envelopes", async () => {
  const { data } = await stowage.raw.POST("/transferApi/getLimits", { body: {} });
  expect(data).toMatchObject({ code: 200, message: null });
  const { error, response } = await new Stowage({ url: program.url }).raw.POST("/transferApi/getLimits", { body: {} });
  expect(response.status).toBe(401);
  expect(error).toMatchObject({ data: null });
});

test.each(["127.0.0.1:8787", "", "ftp://127.0.0.1", "/api"])("the address %j is refused", (url) => {
  expect(() => new Stowage({ url })).toThrow(/url: expected an address like http:\/\/127\.0\.0\.1:8787, got "/);
});
