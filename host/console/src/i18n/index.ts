/**
 * The two languages of the console. Each page has its own texts, in two objects of one type: a text
 * that is missing in one language is a compile error.
 */
import { effect, signal } from "@preact/signals";
import { en } from "./en";
import { zh } from "./zh";

export type Language = "en" | "zh";
export const languages: Record<Language, string> = { en: "English", zh: "中文" };

const key = "stowage.language";

/** The first language of the browser that the console speaks, else English. */
export function preferred(browser: readonly string[], kept: string | null = null): Language {
  if (kept === "en" || kept === "zh") return kept;
  for (const tag of browser) {
    const name = tag.toLowerCase().split("-")[0];
    if (name === "zh" || name === "en") return name;
  }
  return "en";
}

export const language = signal<Language>(
  preferred(globalThis.navigator?.languages ?? [], globalThis.localStorage?.getItem(key)),
);

/** A person's choice, kept for the next visit. */
export function choose(next: Language) {
  localStorage.setItem(key, next);
  language.value = next;
}

/** Tells the browser the language, for screen readers and for the choice of glyphs. */
export function followLanguage() {
  effect(() => {
    document.documentElement.lang = language.value === "zh" ? "zh-CN" : "en";
  });
}

/** The texts in the language of the page. A component that reads them follows a change. */
export function texts<T>(all: { en: T; zh: T }): () => T {
  return () => all[language.value];
}

/** The texts that all pages share. */
export const common = texts({ en, zh });

const rules = new Intl.PluralRules("en");

/** The English form for a number: `plural(n, "file", "files")`. Chinese has one form. */
export function plural(n: number, one: string, other: string): string {
  return rules.select(n) === "one" ? one : other;
}
