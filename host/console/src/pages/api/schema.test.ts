import { expect, test } from "vitest";
import { type Field, fieldOf, type Schema } from "./schema";

const root = {
  components: {
    schemas: {
      Order: { type: "string", enum: ["asc", "desc"], description: "The order." },
      Tree: {
        type: "object",
        properties: { children: { type: "array", items: { $ref: "#/components/schemas/Tree" } } },
      },
    },
  },
};
const field = (schema: Schema) => fieldOf(schema, root);

test("an optional reference is a choice that can be null", () => {
  const optional = field({ oneOf: [{ $ref: "#/components/schemas/Order" }, { type: "null" }] });
  expect(optional).toEqual({ kind: "choice", options: ["asc", "desc"], nullable: true, description: "The order." });
});

test("a number has its range", () => {
  expect(field({ type: ["integer", "null"], minimum: 1, maximum: 1000 })).toEqual({
    kind: "integer",
    minimum: 1,
    maximum: 1000,
    nullable: true,
    description: "",
  });
});

test("an object has its fields, and which are required", () => {
  const object = field({
    type: "object",
    properties: { hashs: { type: "array", items: { type: "string" } }, all: { type: "boolean" } },
    required: ["hashs"],
  });
  expect(object).toMatchObject({
    kind: "object",
    fields: [
      { name: "hashs", required: true, field: { kind: "list", item: { kind: "text" } } },
      { name: "all", required: false, field: { kind: "boolean" } },
    ],
  });
});

test.each<Schema>([
  {},
  { oneOf: [{ type: "string" }, { type: "integer" }] },
  { type: "object" },
  { $ref: "#/nowhere" },
])("the schema %j is written as JSON", (schema) => {
  expect(field(schema).kind).toBe("json");
});

test("a type that contains itself ends", () => {
  let depth = 0;
  let at: Field | undefined = field({ $ref: "#/components/schemas/Tree" });
  while (at) {
    depth++;
    at = at.kind === "object" ? at.fields[0]?.field : at.kind === "list" ? at.item : undefined;
  }
  expect(depth).toBeLessThan(20);
});
