/** Two JSON values as lines side by side. Lines that say the same have the same place. */

export interface Row {
  /** Absent where the other side has a line more. */
  live?: string;
  shadow?: string;
  differs: boolean;
}

/** Longer arrays are compared by their places: finding what moved would take too long. */
const longestAligned = 400;

type Json = unknown;

/** The rows of both values, written with two blanks a level. */
export function rows(live: Json, shadow: Json): Row[] {
  const found: Row[] = [];
  compare(live, shadow, "", "", "", "", found);
  return found;
}

/**
 * Rows in which nothing differs become one number, but the `near` ones beside a difference stay, so
 * that a person sees where it is.
 */
export function folded(all: readonly Row[], near = 2): (Row | { equal: Row[] })[] {
  const kept = all.map(() => false);
  all.forEach((row, at) => {
    if (row.differs) kept.fill(true, Math.max(0, at - near), at + near + 1);
  });
  const parts: (Row | { equal: Row[] })[] = [];
  let equal: Row[] = [];
  const end = () => {
    // A single line takes no more room than the words about it.
    if (equal.length === 1) parts.push(...equal);
    else if (equal.length > 1) parts.push({ equal });
    equal = [];
  };
  all.forEach((row, at) => {
    if (!kept[at]) {
      equal.push(row);
      return;
    }
    end();
    parts.push(row);
  });
  end();
  return parts;
}

/**
 * `label` is the key with its colon. `liveEnd` and `shadowEnd` are the comma, if another value
 * follows on that side.
 */
function compare(
  live: Json,
  shadow: Json,
  indent: string,
  label: string,
  liveEnd: string,
  shadowEnd: string,
  found: Row[],
) {
  const inner = `${indent}  `;
  const both = (text: string, ends = false) => {
    const [left, right] = ends ? [text + liveEnd, text + shadowEnd] : [text, text];
    found.push({ live: left, shadow: right, differs: false });
  };
  if (isObject(live) && isObject(shadow)) {
    both(`${indent}${label}{`);
    // The order of keys has no meaning.
    const keys = [...new Set([...Object.keys(live), ...Object.keys(shadow)])];
    const last = (value: object) => keys.filter((key) => Object.hasOwn(value, key)).at(-1);
    const [lastLive, lastShadow] = [last(live), last(shadow)];
    for (const key of keys) {
      const name = `${JSON.stringify(key)}: `;
      const ends = [key === lastLive ? "" : ",", key === lastShadow ? "" : ","] as const;
      if (!Object.hasOwn(shadow, key)) one("live", live[key], inner, name, ends[0], found);
      else if (!Object.hasOwn(live, key)) one("shadow", shadow[key], inner, name, ends[1], found);
      else compare(live[key], shadow[key], inner, name, ...ends, found);
    }
    both(`${indent}}`, true);
  } else if (Array.isArray(live) && Array.isArray(shadow)) {
    both(`${indent}${label}[`);
    for (const [left, right] of pairs(live, shadow)) {
      const liveComma = left === undefined || left === live.length - 1 ? "" : ",";
      const shadowComma = right === undefined || right === shadow.length - 1 ? "" : ",";
      if (right === undefined) one("live", live[left as number], inner, "", liveComma, found);
      else if (left === undefined) one("shadow", shadow[right], inner, "", shadowComma, found);
      else compare(live[left], shadow[right], inner, "", liveComma, shadowComma, found);
    }
    both(`${indent}]`, true);
  } else {
    const left = lines(live, indent, label, liveEnd);
    const right = lines(shadow, indent, label, shadowEnd);
    const same = JSON.stringify(live) === JSON.stringify(shadow);
    for (let at = 0; at < Math.max(left.length, right.length); at++) {
      const row: Row = { differs: !same };
      if (left[at] !== undefined) row.live = left[at] as string;
      if (right[at] !== undefined) row.shadow = right[at] as string;
      found.push(row);
    }
  }
}

/** A value that one side has alone. */
function one(side: "live" | "shadow", value: Json, indent: string, label: string, end: string, found: Row[]) {
  for (const line of lines(value, indent, label, end)) found.push({ [side]: line, differs: true });
}

function lines(value: Json, indent: string, label: string, end: string): string[] {
  const text = JSON.stringify(value, null, 2) ?? "null";
  return `${label}${text}${end}`.split("\n").map((line) => indent + line);
}

function isObject(value: Json): value is Record<string, Json> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The places of elements that belong together: equal ones, and those between them in their order. */
function pairs(live: readonly Json[], shadow: readonly Json[]): [number | undefined, number | undefined][] {
  const found: [number | undefined, number | undefined][] = [];
  const between = (fromLive: number, toLive: number, fromShadow: number, toShadow: number) => {
    const most = Math.max(toLive - fromLive, toShadow - fromShadow);
    for (let n = 0; n < most; n++) {
      const left = fromLive + n < toLive ? fromLive + n : undefined;
      const right = fromShadow + n < toShadow ? fromShadow + n : undefined;
      found.push([left, right]);
    }
  };
  let [atLive, atShadow] = [0, 0];
  for (const [left, right] of equalPairs(live, shadow)) {
    between(atLive, left, atShadow, right);
    found.push([left, right]);
    [atLive, atShadow] = [left + 1, right + 1];
  }
  between(atLive, live.length, atShadow, shadow.length);
  return found;
}

/** The longest common subsequence of both arrays. */
function equalPairs(live: readonly Json[], shadow: readonly Json[]): [number, number][] {
  if (live.length > longestAligned || shadow.length > longestAligned) return [];
  const [left, right] = [live.map((v) => JSON.stringify(v)), shadow.map((v) => JSON.stringify(v))];
  const width = right.length + 1;
  // The length of the longest one from (i, j) to the ends.
  const longest = new Uint16Array((left.length + 1) * width);
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      const below = longest[(i + 1) * width + j] ?? 0;
      const beside = longest[i * width + j + 1] ?? 0;
      const across = (longest[(i + 1) * width + j + 1] ?? 0) + 1;
      longest[i * width + j] = left[i] === right[j] ? across : Math.max(below, beside);
    }
  }
  const found: [number, number][] = [];
  for (let i = 0, j = 0; i < left.length && j < right.length; ) {
    if (left[i] === right[j]) found.push([i++, j++]);
    else if ((longest[(i + 1) * width + j] ?? 0) >= (longest[i * width + j + 1] ?? 0)) i++;
    else j++;
  }
  return found;
}
