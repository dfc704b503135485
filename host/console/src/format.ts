/** Numbers, sizes and times as a person reads them, in the language of the page. */
import { common, language } from "./i18n";

const cache = new Map<string, unknown>();

/** Making an Intl object takes longer than using it. */
function cached<T>(name: string, make: (locale: string) => T): T {
  const locale = language.value === "zh" ? "zh-CN" : "en-GB";
  const key = `${locale} ${name}`;
  let made = cache.get(key) as T | undefined;
  if (made === undefined) {
    made = make(locale);
    cache.set(key, made);
  }
  return made;
}

export function number(value: number, digits = 0): string {
  const make = (locale: string) => new Intl.NumberFormat(locale, { maximumFractionDigits: digits });
  return cached(`number ${digits}`, make).format(value);
}

/** `value` is 0 to 100. */
export function percent(value: number, digits = 0): string {
  const make = (locale: string) => new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: digits });
  return cached(`percent ${digits}`, make).format(value / 100);
}

const sizeUnits = ["B", "KB", "MB", "GB", "TB", "PB"];

/** A share of a whole. A small one is not shown as nothing. */
export function share(part: number, whole: number): string {
  const value = whole > 0 ? (part / whole) * 100 : 0;
  return value > 0 && value < 0.1 ? `<${percent(0.1, 1)}` : percent(value, 1);
}

/** A size as the API writes it: 1 KB is 1024 bytes. At most three digits that count. */
export function bytes(value: number): string {
  let unit = 0;
  let amount = Math.max(0, value);
  // 1023.95 would be shown as 1024.
  while (amount >= 1023.95 && unit < sizeUnits.length - 1) {
    amount /= 1024;
    unit++;
  }
  const digits = unit === 0 || amount >= 100 ? 0 : amount >= 10 ? 1 : 2;
  return `${number(amount, digits)} ${sizeUnits[unit]}`;
}

/** The bytes of a size that the API wrote (`11.96 MB`), or null. */
export function parseBytes(text: string): number | null {
  const found = /^([\d.,]+)\s*([KMGTP]?B)$/i.exec(text.trim());
  if (!found?.[1] || !found[2]) return null;
  const amount = Number(found[1].replaceAll(",", ""));
  const unit = sizeUnits.indexOf(found[2].toUpperCase());
  return Number.isFinite(amount) ? amount * 1024 ** unit : null;
}

/** A speed. `value` is bytes a second. */
export function rate(value: number): string {
  return `${bytes(value)}/s`;
}

/** A length of time with its two largest units. `seconds` is not negative. */
export function duration(seconds: number): string {
  const { day, hour, minute, second } = common().units;
  const whole = Math.max(0, Math.round(seconds));
  const parts: [number, string][] = [
    [Math.floor(whole / 86400), day],
    [Math.floor(whole / 3600) % 24, hour],
    [Math.floor(whole / 60) % 60, minute],
    [whole % 60, second],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) return `0 ${second}`;
  const shown = parts.slice(first, first + 2).filter(([amount]) => amount > 0);
  return shown.map(([amount, unit]) => `${amount} ${unit}`).join(" ");
}

/** Microseconds, as µs, ms or s. */
export function micros(value: number | null): string {
  if (value === null) return "–";
  if (value < 1000) return `${number(value)} µs`;
  if (value < 1_000_000) return `${number(value / 1000, value < 10_000 ? 1 : 0)} ms`;
  return `${number(value / 1_000_000, 1)} s`;
}

/** Day and time, in the time zone of the browser. `ms` since 1970. */
export function dateTime(ms: number): string {
  const make = (locale: string) => new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
  return cached("dateTime", make).format(ms);
}

export function date(ms: number): string {
  const make = (locale: string) => new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
  return cached("date", make).format(ms);
}

/** The time of day with seconds. */
export function clock(ms: number): string {
  const make = (locale: string) => new Intl.DateTimeFormat(locale, { timeStyle: "medium" });
  return cached("clock", make).format(ms);
}

/** Hours and minutes. */
export function minute(ms: number): string {
  const make = (locale: string) => new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
  return cached("minute", make).format(ms);
}

const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];

/** How long ago. After a week the date says more. */
export function ago(ms: number, now = Date.now()): string {
  const past = now - ms;
  if (past > 7 * 86_400_000) return date(ms);
  const make = (locale: string) => new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  for (const [unit, length] of steps) {
    if (past >= length) return cached("ago", make).format(-Math.floor(past / length), unit);
  }
  return common().time.now;
}

/** The start of a SHA-256 in hex, enough to tell versions apart. */
export function shortHash(hash: string): string {
  return hash.slice(0, 8);
}
