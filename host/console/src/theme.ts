/** Light or dark. The colours are pairs in CSS; this only says which of each pair counts. */
import { effect, signal } from "@preact/signals";

export const themes = ["system", "light", "dark"] as const;
export type Theme = (typeof themes)[number];

const key = "stowage.theme";
const kept = globalThis.localStorage?.getItem(key);

export const theme = signal<Theme>(themes.find((name) => name === kept) ?? "system");
const systemDark = globalThis.matchMedia?.("(prefers-color-scheme: dark)");
/** Whether the page is dark now, for what CSS does not paint. */
export const dark = signal(false);

export function chooseTheme(next: Theme) {
  localStorage.setItem(key, next);
  theme.value = next;
}

export function followTheme() {
  const system = signal(systemDark?.matches ?? false);
  systemDark?.addEventListener("change", (event) => {
    system.value = event.matches;
  });
  effect(() => {
    const root = document.documentElement;
    if (theme.value === "system") delete root.dataset["theme"];
    else root.dataset["theme"] = theme.value;
    dark.value = theme.value === "dark" || (theme.value === "system" && system.value);
  });
}
