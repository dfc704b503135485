import type { Client } from "openapi-fetch";
import { describe, expectTypeOf, test } from "vitest";
import { type Data, type Feed, type Method, type Params, type paths, Stowage, type TaskRow } from "../../src/index.js";

const stowage = new Stowage({ url: "http://127.0.0.1:8787" });

describe("a call", () => {
  test("takes the names of methods only", () => {
    expectTypeOf<"getImFavoriteList">().toExtend<Method<paths>>();
    expectTypeOf<"initStorage$IMDataFromSdk">().toExtend<Method<paths>>();
    expectTypeOf<"transferApi/listTasks">().toExtend<Method<paths>>();
    // @ts-expect-error there is no such method
    stowage.call("getImFavoriteLists", {});
    // @ts-expect-error the slash is not part of the name
    stowage.call("/getImFavoriteList", { favId: "1", page: 1, pageSize: 10 });
    // @ts-expect-error paths of the host are no methods
    stowage.call("files", {});
    // @ts-expect-error paths of the host are no methods
    stowage.call("openapi.json", {});
  });

  test("takes the parameters of its method", () => {
    type List = Params<paths, "getImFavoriteFolders">;
    expectTypeOf<List["page"]>().toEqualTypeOf<number>();
    expectTypeOf<{ page: number; pageSize: number }>().toExtend<List>();
    // @ts-expect-error pageSize is required
    stowage.call("getImFavoriteFolders", { page: 1 });
    // @ts-expect-error page is a number
    stowage.call("getImFavoriteFolders", { page: "1", pageSize: 10 });
    // @ts-expect-error there is no such parameter
    stowage.call("getImFavoriteFolders", { page: 1, pageSize: 10, size: 1 });
    // @ts-expect-error the parameters are required
    stowage.call("getImFavoriteFolders");
    // @ts-expect-error the order is a word of a list
    stowage.call("transferApi/listTasks", { page: 1, pageSize: 10, order: "up" });
    stowage.call("transferApi/listTasks", { page: 1, pageSize: 10, order: "desc", platform: null });
  });

  test("needs no parameters, if its method requires none", () => {
    stowage.call("getStorageSpaceInfo");
    stowage.call("transferApi/pauseAll", {}, { signal: AbortSignal.abort() });
  });

  test("returns the data of its method", () => {
    expectTypeOf(stowage.call("createImFavoriteFolder", { name: "图片" })).resolves.toEqualTypeOf<boolean>();
    expectTypeOf(stowage.call("initStorage$IMDataFromSdk")).resolves.toEqualTypeOf<null>();
    expectTypeOf<Data<paths, "transferApi/listTasks">>().toEqualTypeOf<TaskRow[]>();
    expectTypeOf<Data<paths, "transferApi/getLimits">["maxUploads"]>().toEqualTypeOf<number>();
  });
});

test("the raw client is that of openapi-fetch", async () => {
  expectTypeOf(stowage.raw).toEqualTypeOf<Client<paths>>();
  const { data } = await stowage.raw.POST("/createImFavoriteFolder", { body: { name: "图片" } });
  if (data?.code === 200) {
    expectTypeOf(data.data).toEqualTypeOf<boolean>();
  } else if (data !== undefined) {
    expectTypeOf(data.message).toEqualTypeOf<string>();
  }
});

test("the methods are those of the given paths", () => {
  interface Notes {
    "/notes/addNote": {
      post: {
        requestBody: { content: { "application/json": { text: string } } };
        responses: {
          200: {
            content: {
              "application/json":
                | { code: 200; message: null; data: { id: number } }
                | { code: 600; message: string; data: null };
            };
          };
        };
      };
    };
  }
  const notes = new Stowage<Notes>({ url: "http://127.0.0.1:8787" });
  expectTypeOf(notes.call("notes/addNote", { text: "a" })).resolves.toEqualTypeOf<{ id: number }>();
  expectTypeOf<Method<Notes>>().toEqualTypeOf<"notes/addNote">();
  // @ts-expect-error the methods of the built-in modules are not in these paths
  notes.call("getStorageSpaceInfo");
});

test("the feed has typed events", () => {
  const feed: Feed = stowage.feed({ type: 1, platform: 3 });
  feed.addEventListener("change", ({ detail }) => expectTypeOf(detail.rows).toEqualTypeOf<TaskRow[]>());
  feed.addEventListener("gap", ({ detail }) => expectTypeOf(detail.expected).toEqualTypeOf<number>());
  // @ts-expect-error there are two directions
  stowage.feed({ type: 2, platform: 3 });
});

test("the websocket class may be that of a browser or of the package ws", async () => {
  const { WebSocket: Ws } = await import("ws");
  new Stowage({ url: "", WebSocket: Ws });
  new Stowage({ url: "", WebSocket: globalThis.WebSocket });
  // @ts-expect-error this is no class of websockets
  new Stowage({ url: "", WebSocket: class {} });
});
