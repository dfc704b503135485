/** The methods that the server describes in `/openapi.json`. */
import { type Field, fieldOf, resolve, type Schema } from "./schema";

export interface Operation {
  id: string;
  /** `POST`, `GET` and so on. */
  method: string;
  /** With `{name}` for parameters: `/files/{hash}`. */
  path: string;
  /** The group that it is shown in. */
  tag: string;
  description: string;
  /** The parameters of the path, of the query and of the headers. */
  parameters: readonly Parameter[];
  body: { type: "none" } | { type: "json"; field: Field } | { type: "bytes" | "form"; mediaType: string };
  examples: readonly Example[];
  errors: readonly { code: number; meaning: string }[];
  /** The module that serves it, or empty for the server itself. */
  module: string;
  /** The SHA-256 of the module. */
  version: string;
}

export interface Parameter {
  name: string;
  place: "path" | "query" | "header";
  required: boolean;
  field: Field;
  /** It is an object, and each of its fields is a parameter of the query. */
  spread: boolean;
}

export interface Example {
  name: string;
  value: unknown;
  /** The answer to it, if it is documented. */
  answer?: unknown;
}

export interface Group {
  tag: string;
  description: string;
  operations: readonly Operation[];
}

export interface Description {
  operations: ReadonlyMap<string, Operation>;
  groups: readonly Group[];
}

const methods = ["get", "head", "post", "put", "patch", "delete", "options"] as const;

interface Content {
  schema?: Schema;
  example?: unknown;
  examples?: Record<string, { summary?: string; value?: unknown }>;
}

interface WrittenParameter {
  name?: string;
  in?: string;
  required?: boolean;
  description?: string;
  schema?: Schema;
}

interface WrittenOperation {
  operationId?: string;
  tags?: readonly string[];
  summary?: string;
  description?: string;
  parameters?: readonly (WrittenParameter & Schema)[];
  requestBody?: { content?: Record<string, Content> } & Schema;
  responses?: Record<string, { content?: Record<string, Content> } & Schema>;
  "x-stowage-errors"?: readonly { code: number; meaning: string }[];
  "x-stowage-module"?: string;
  "x-stowage-version"?: string;
}

interface Written {
  paths?: Record<string, Record<string, unknown>>;
  tags?: readonly { name: string; description?: string }[];
}

/** Reads a description. What it does not have is empty. */
export function readDescription(written: unknown): Description {
  const root = (written ?? {}) as Written;
  const operations = new Map<string, Operation>();
  const groups = new Map<string, Operation[]>();
  for (const [path, item] of Object.entries(root.paths ?? {})) {
    for (const method of methods) {
      const found = item[method] as WrittenOperation | undefined;
      if (!found) continue;
      const shared = (item["parameters"] ?? []) as WrittenOperation["parameters"];
      const operation = readOperation(path, method, found, shared ?? [], root);
      operations.set(operation.id, operation);
      const group = groups.get(operation.tag);
      if (group) group.push(operation);
      else groups.set(operation.tag, [operation]);
    }
  }
  const about = new Map((root.tags ?? []).map((tag) => [tag.name, tag.description ?? ""]));
  return {
    operations,
    groups: [...groups].map(([tag, list]) => ({ tag, description: about.get(tag) ?? "", operations: list })),
  };
}

function readOperation(
  path: string,
  method: string,
  written: WrittenOperation,
  shared: NonNullable<WrittenOperation["parameters"]>,
  root: Written,
): Operation {
  const errors = written["x-stowage-errors"] ?? [];
  const text = written.description ?? written.summary ?? "";
  const request = resolve(written.requestBody ?? {}, root) as NonNullable<WrittenOperation["requestBody"]>;
  const content = request.content ?? {};
  const json = content["application/json"];
  const [other] = Object.keys(content);
  let body: Operation["body"] = { type: "none" };
  if (json) body = { type: "json", field: fieldOf(json.schema ?? {}, root) };
  else if (other?.startsWith("multipart/")) body = { type: "form", mediaType: other };
  else if (other) body = { type: "bytes", mediaType: other };
  return {
    id: written.operationId ?? `${method} ${path}`,
    method: method.toUpperCase(),
    path,
    tag: written.tags?.[0] ?? "",
    // The errors are shown as a list of their own.
    description: errors.length > 0 ? text.replace(/\s*^Errors: [\s\S]*?$(?![\s\S])/m, "") : text,
    parameters: [...shared, ...(written.parameters ?? [])].flatMap((one) => readParameter(one, root)),
    body,
    examples: json ? examplesOf(json, answerOf(written, root)) : [],
    errors,
    module: written["x-stowage-module"] ?? "",
    version: written["x-stowage-version"] ?? "",
  };
}

function readParameter(written: WrittenParameter & Schema, root: Written): Parameter[] {
  const found = resolve(written, root) as WrittenParameter;
  const place = found.in;
  if (found.name === undefined || (place !== "path" && place !== "query" && place !== "header")) return [];
  const field = fieldOf(found.schema ?? {}, root);
  const isObject = found.schema !== undefined && resolve(found.schema, root).type === "object";
  return [
    {
      name: found.name,
      place,
      required: found.required ?? place === "path",
      spread: place === "query" && isObject,
      field: { ...field, description: found.description ?? field.description },
    },
  ];
}

function answerOf({ responses }: WrittenOperation, root: Written): Content {
  const success = resolve(responses?.["200"] ?? {}, root) as { content?: Record<string, Content> };
  return success.content?.["application/json"] ?? {};
}

/** The examples of requests, each with the answer of the same name. */
function examplesOf({ example, examples }: Content, answer: Content): Example[] {
  const named = Object.entries(examples ?? {}).map(([name, one]) => ({
    name: one.summary ?? "",
    value: one.value,
    answer: answer.examples?.[name]?.value,
  }));
  return example === undefined ? named : [{ name: "", value: example, answer: answer.example }, ...named];
}

/** The groups with the operations whose name, path or documentation contains all words. */
export function search({ groups }: Description, words: string): Group[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (operation: Operation, tag: string) => {
    const all = `${operation.path} ${tag} ${operation.module} ${operation.description}`.toLowerCase();
    return wanted.every((word) => all.includes(word));
  };
  return groups
    .map((group) => ({ ...group, operations: group.operations.filter((one) => fits(one, group.tag)) }))
    .filter((group) => group.operations.length > 0);
}
