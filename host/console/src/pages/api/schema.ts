/** The part of JSON Schema that descriptions of methods use, as fields of a form. */

/** A schema as it is written in the description. */
export interface Schema {
  $ref?: string;
  type?: string | readonly string[];
  description?: string;
  properties?: Record<string, Schema>;
  required?: readonly string[];
  items?: Schema;
  enum?: readonly unknown[];
  const?: unknown;
  oneOf?: readonly Schema[];
  anyOf?: readonly Schema[];
  allOf?: readonly Schema[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  default?: unknown;
}

export type Field = {
  description: string;
  /** `null` is allowed. */
  nullable: boolean;
  default?: unknown;
} & (
  | { kind: "text"; minLength?: number; maxLength?: number }
  | { kind: "integer" | "number"; minimum?: number; maximum?: number }
  | { kind: "boolean" }
  | { kind: "choice"; options: readonly (string | number | boolean)[] }
  | { kind: "list"; item: Field; minItems?: number; maxItems?: number }
  | { kind: "object"; fields: readonly NamedField[] }
  /** Anything that has no form: it is written as JSON. */
  | { kind: "json" }
);

export interface NamedField {
  name: string;
  required: boolean;
  field: Field;
}

/** Types may contain themselves. Deeper than this they are written as JSON. */
const deepest = 8;

/** Finds `#/components/schemas/NAME` and the like. */
export function resolve(schema: Schema, root: unknown): Schema {
  let found = schema;
  for (let hops = 0; found.$ref !== undefined && hops < 16; hops++) {
    let at: unknown = root;
    for (const part of found.$ref.replace(/^#\//, "").split("/")) {
      const name = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
      at = typeof at === "object" && at !== null ? (at as Record<string, unknown>)[name] : undefined;
    }
    if (typeof at !== "object" || at === null) return {};
    found = at as Schema;
  }
  return found;
}

/** The field for a schema. */
export function fieldOf(written: Schema, root: unknown, depth = 0): Field {
  const schema = resolve(written, root);
  const description = written.description ?? schema.description ?? "";
  const about = { description, nullable: false, ...("default" in schema && { default: schema.default }) };
  if (depth > deepest) return { ...about, kind: "json" };

  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) {
    const others = choices.filter((one) => resolve(one, root).type !== "null");
    const [only] = others;
    if (others.length !== 1 || !only) return { ...about, kind: "json" };
    const field = fieldOf(only, root, depth);
    return { ...field, description: description || field.description, nullable: choices.length > 1 || field.nullable };
  }
  const [first] = schema.allOf ?? [];
  if (schema.allOf?.length === 1 && first) return { ...fieldOf(first, root, depth), ...about };

  const types = [schema.type ?? []].flat();
  const nullable = types.includes("null");
  const named = types.filter((type) => type !== "null");
  const common = { ...about, nullable };
  const options = schema.const !== undefined ? [schema.const] : schema.enum;
  if (options) {
    const simple = options.filter((option): option is string | number | boolean =>
      ["string", "number", "boolean"].includes(typeof option),
    );
    return { ...common, nullable: nullable || options.includes(null), kind: "choice", options: simple };
  }
  if (named.length > 1) return { ...common, kind: "json" };
  switch (named[0]) {
    case "string":
      return { ...common, kind: "text", ...pick(schema, ["minLength", "maxLength"]) };
    case "integer":
    case "number":
      return { ...common, kind: named[0], ...pick(schema, ["minimum", "maximum"]) };
    case "boolean":
      return { ...common, kind: "boolean" };
    case "array": {
      const item = fieldOf(schema.items ?? {}, root, depth + 1);
      return { ...common, kind: "list", item, ...pick(schema, ["minItems", "maxItems"]) };
    }
    case "object": {
      if (!schema.properties) return { ...common, kind: "json" };
      const fields = Object.entries(schema.properties).map(([name, property]) => ({
        name,
        required: schema.required?.includes(name) ?? false,
        field: fieldOf(property, root, depth + 1),
      }));
      return { ...common, kind: "object", fields };
    }
    default:
      return { ...common, kind: "json" };
  }
}

function pick<K extends keyof Schema>(schema: Schema, names: readonly K[]): { [N in K]?: Schema[N] } {
  return Object.fromEntries(names.filter((name) => schema[name] !== undefined).map((name) => [name, schema[name]])) as {
    [N in K]?: Schema[N];
  };
}
