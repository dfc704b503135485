/** The values of a form's fields: how one begins, and what is wrong with one. */
import type { Field } from "./schema";

/** What a new field holds. An optional field that is not sent has no value at all. */
export function startValue(field: Field): unknown {
  if (field.default !== undefined) return field.default;
  switch (field.kind) {
    case "text":
      return "";
    case "integer":
    case "number":
      return Math.max(field.minimum ?? 0, Math.min(0, field.maximum ?? 0));
    case "boolean":
      return false;
    case "choice":
      return field.options[0] ?? null;
    case "list":
      return Array.from({ length: field.minItems ?? 0 }, () => startValue(field.item));
    case "object":
      return Object.fromEntries(
        field.fields.filter((one) => one.required).map(({ name, field }) => [name, startValue(field)]),
      );
    case "json":
      return field.nullable ? null : {};
  }
}

/**
 * What a person typed into a field of a number. A whole number that JavaScript cannot hold stays a
 * text: the server takes numbers as texts, too.
 */
export function numberOf(typed: string): number | string | undefined {
  const text = typed.trim();
  if (text === "") return undefined;
  if (!/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text)) return typed;
  const value = Number(text);
  return /^-?\d+$/.test(text) && !Number.isSafeInteger(value) ? text : value;
}

export type Problem =
  | { name: "number" | "integer" | "text" | "boolean" | "list" | "object" | "choice" }
  | { name: "range"; minimum: number | undefined; maximum: number | undefined }
  | { name: "length"; minimum: number | undefined; maximum: number | undefined };

/** What is wrong with a value, its parts aside. A wrong value can still be sent: the server answers. */
export function problemOf(field: Field, value: unknown): Problem | undefined {
  if (value === undefined || (value === null && field.nullable)) return undefined;
  switch (field.kind) {
    case "integer":
    case "number": {
      const isWhole = /^-?\d+$/.test(String(value).trim());
      if (field.kind === "integer" && !isWhole) return { name: "integer" };
      const number = Number(value);
      if (String(value).trim() === "" || Number.isNaN(number)) return { name: "number" };
      const { minimum, maximum } = field;
      const out = number < (minimum ?? -Infinity) || number > (maximum ?? Infinity);
      return out ? { name: "range", minimum, maximum } : undefined;
    }
    case "text": {
      if (typeof value !== "string") return { name: "text" };
      return sized(field.minLength, field.maxLength, [...value].length);
    }
    case "boolean":
      return typeof value === "boolean" ? undefined : { name: "boolean" };
    case "choice":
      return field.options.includes(value as string) ? undefined : { name: "choice" };
    case "list":
      return Array.isArray(value) ? sized(field.minItems, field.maxItems, value.length) : { name: "list" };
    case "object":
      return isObject(value) ? undefined : { name: "object" };
    case "json":
      return undefined;
  }
}

function sized(minimum: number | undefined, maximum: number | undefined, length: number): Problem | undefined {
  const out = length < (minimum ?? 0) || length > (maximum ?? Infinity);
  return out ? { name: "length", minimum, maximum } : undefined;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object with a field set, or without it if the value is undefined. The order of the others stays. */
export function withField(object: Record<string, unknown>, name: string, value: unknown): Record<string, unknown> {
  const { [name]: _, ...rest } = object;
  if (value === undefined) return rest;
  return name in object ? { ...object, [name]: value } : { ...rest, [name]: value };
}
