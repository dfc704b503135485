/** Whether the server answers. When it does not, the page waits for it and then goes on. */
import { signal } from "@preact/signals";

export interface Info {
  version: string;
  tokenRequired: boolean;
}

export const online = signal(true);
/** Grows each time the server is back, so that what depends on it is loaded again. */
export const comebacks = signal(0);
export const info = signal<Info | null>(null);
/** The server that is back is another version than the one that sent this page. */
export const outdated = signal(false);

const firstWait = 500;
const longestWait = 8000;
let probing = false;

/** Between half and all of a wait that doubles with each attempt. In milliseconds. */
export function backoff(attempt: number, random: () => number = Math.random): number {
  const wait = Math.min(longestWait, firstWait * 2 ** attempt);
  return wait * (0.5 + random() / 2);
}

/** Call it when a request failed without an answer. One request may fail alone. */
export function lost() {
  if (probing) return;
  probing = true;
  void (async () => {
    if (!(await probe())) {
      online.value = false;
      let attempt = 0;
      do await pause(backoff(attempt++));
      while (!(await probe()));
      online.value = true;
      comebacks.value++;
    }
    probing = false;
  })();
}

/** Asks the server who it is. Returns whether it answered. */
export async function probe(): Promise<boolean> {
  try {
    const answer = await fetch("/console/info", { cache: "no-store" });
    if (!answer.ok) return false;
    const now = (await answer.json()) as Info;
    const before = info.peek();
    if (before && before.version !== now.version) outdated.value = true;
    info.value ??= now;
    return true;
  } catch {
    return false;
  }
}

/** Ends early when the network is back or the tab is looked at. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      document.removeEventListener("visibilitychange", shown);
      resolve();
    };
    const shown = () => {
      if (!document.hidden) done();
    };
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
    document.addEventListener("visibilitychange", shown);
  });
}
