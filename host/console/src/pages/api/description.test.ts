import { expect, test } from "vitest";
import { addressOf } from "./address";
import { readDescription, search } from "./description";

const written = {
  tags: [{ name: "imFavorites", description: "IM favourites." }],
  paths: {
    "/getImFavoriteList": {
      post: {
        operationId: "getImFavoriteList",
        tags: ["imFavorites"],
        description: "A page of a folder's favourites.\n\nErrors: 60000 no such folder.",
        requestBody: {
          content: {
            "application/json": {
              schema: { type: "object", properties: { favId: { type: "string" } }, required: ["favId"] },
              examples: { documented: { summary: "The default folder", value: { favId: "1" } } },
            },
          },
        },
        "x-stowage-errors": [{ code: 60000, meaning: "no such folder" }],
        "x-stowage-module": "favorites",
      },
    },
    "/files/{hash}": {
      parameters: [{ name: "hash", in: "path", required: true, schema: { type: "string" } }],
      get: {
        operationId: "getFile",
        tags: ["files"],
        parameters: [
          { name: "platform", in: "query", schema: { type: "integer" } },
          { name: "range", in: "header", schema: { type: "string" } },
        ],
      },
    },
    "/files": { put: { operationId: "putFile", requestBody: { content: { "*/*": {} } } } },
  },
};
const description = readDescription(written);

test("a method has its form, its errors and its examples", () => {
  const operation = description.operations.get("getImFavoriteList");
  expect(operation).toMatchObject({
    method: "POST",
    tag: "imFavorites",
    module: "favorites",
    description: "A page of a folder's favourites.",
    body: { type: "json", field: { kind: "object", fields: [{ name: "favId", required: true }] } },
    examples: [{ name: "The default folder", value: { favId: "1" } }],
    errors: [{ code: 60000, meaning: "no such folder" }],
  });
});

test("the parameters of a path go into its address", () => {
  const operation = description.operations.get("getFile");
  if (!operation) throw new Error("getFile is missing");
  const parameters = { "path hash": "a/b", "query platform": "3", "header range": "bytes=0-9" };
  expect(addressOf(operation, parameters)).toEqual({
    path: "/files/a%2Fb?platform=3",
    headers: { range: "bytes=0-9" },
  });
  expect(addressOf(operation, { "path hash": "x" })).toEqual({ path: "/files/x", headers: {} });
});

test("the fields of a spread parameter are parameters of their own", () => {
  const put = readDescription({
    paths: {
      "/files": {
        put: {
          operationId: "putFile",
          parameters: [{ $ref: "#/components/parameters/rowFields" }],
          requestBody: { content: { "multipart/form-data": {} } },
        },
      },
    },
    components: { parameters: { rowFields: { name: "fields", in: "query", schema: { type: "object" } } } },
  }).operations.get("putFile");
  if (!put) throw new Error("putFile is missing");
  expect(put.body.type).toBe("form");
  expect(addressOf(put, { "query fields": '{"favId":"1","time":7}' }).path).toBe("/files?favId=1&time=7");
  expect(addressOf(put, { "query fields": "{" }).path).toBe("/files");
});

test("a body that is no JSON is bytes", () => {
  expect(description.operations.get("putFile")?.body).toEqual({ type: "bytes", mediaType: "*/*" });
});

test("a search finds all words anywhere in a method", () => {
  const found = (words: string) => search(description, words).flatMap((group) => group.operations.map((one) => one.id));
  expect(found("favourites PAGE")).toEqual(["getImFavoriteList"]);
  expect(found("file")).toEqual(["getFile", "putFile"]);
  expect(found("favourites nothing")).toEqual([]);
  expect(found("  ")).toHaveLength(3);
});

test("a text that is no description has no methods", () => {
  expect(readDescription(null).operations.size).toBe(0);
});
