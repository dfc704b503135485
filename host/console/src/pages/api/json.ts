/**
 * JSON as text: its tokens, for colours, and with line breaks. Numbers are never read, because
 * JavaScript would change those above 2^53.
 */

export type TokenKind = "name" | "text" | "number" | "word" | "mark" | "space" | "wrong";

export interface Token {
  kind: TokenKind;
  text: string;
}

const pattern = /("(?:[^"\\\n]|\\.)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null)\b|([{}[\],:])|(\s+)/y;
const kinds: readonly TokenKind[] = ["text", "number", "word", "mark", "space"];

/** The tokens of a text. Together they are the text, also if it is no JSON. */
export function tokens(text: string): Token[] {
  const found: Token[] = [];
  let at = 0;
  while (at < text.length) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (!match) {
      const last = found.at(-1);
      const character = text[at] ?? "";
      if (last?.kind === "wrong") last.text += character;
      else found.push({ kind: "wrong", text: character });
      at++;
      continue;
    }
    const kind = kinds[match.slice(1).findIndex((part) => part !== undefined)] ?? "wrong";
    found.push({ kind, text: match[0] });
    at += match[0].length;
  }
  for (const [index, token] of found.entries()) {
    if (token.kind !== "text") continue;
    const next = found[index + 1]?.kind === "space" ? found[index + 2] : found[index + 1];
    if (next?.text === ":") token.kind = "name";
  }
  return found;
}

/** JSON with a line for each value. A text that is no JSON stays as it is. */
export function format(text: string): string {
  if (!isJson(text)) return text;
  const marks = tokens(text).filter((token) => token.kind !== "space");
  let depth = 0;
  let made = "";
  for (const [index, { text: mark }] of marks.entries()) {
    const next = marks[index + 1]?.text;
    const line = () => `\n${"  ".repeat(depth)}`;
    if (mark === "{" || mark === "[") {
      made += mark;
      if (next === "}" || next === "]") continue;
      depth++;
      made += line();
    } else if (mark === "}" || mark === "]") {
      const before = marks[index - 1]?.text;
      if (before !== "{" && before !== "[") {
        depth--;
        made += line();
      }
      made += mark;
    } else if (mark === ",") made += `,${line()}`;
    else if (mark === ":") made += ": ";
    else made += mark;
  }
  return made;
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

export type Parsed = { value: unknown } | { error: string };

/**
 * The value of a text, or why it is no JSON, as the browser says it. Whole numbers that JavaScript
 * cannot hold become texts, which the server takes as well.
 */
export function parse(text: string): Parsed {
  try {
    const value: unknown = JSON.parse(text);
    const all = tokens(text);
    const isLarge = ({ kind, text }: Token) =>
      kind === "number" && /^-?\d+$/.test(text) && !Number.isSafeInteger(Number(text));
    if (!all.some(isLarge)) return { value };
    return { value: JSON.parse(all.map((token) => (isLarge(token) ? `"${token.text}"` : token.text)).join("")) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
