/** Short messages at the edge of the window. The last three are shown. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { common } from "../i18n";
import { reasonOf } from "../reason";
import { IconButton } from "./button";

export interface ToastOptions {
  kind?: "plain" | "bad";
  /** With it the message has a button that undoes what was done. */
  undo?: () => void;
  /** Another button than undo. */
  action?: { text: string; run: () => void };
  /** How long it is shown, in milliseconds. */
  lasts?: number;
}

interface Shown extends ToastOptions {
  id: number;
  text: string;
}

const shown = signal<readonly Shown[]>([]);
let last = 0;

/** Shows a message. Returns a function that takes it away. */
export function toast(text: string, options: ToastOptions = {}): () => void {
  const id = ++last;
  shown.value = [...shown.peek(), { id, text, ...options }].slice(-3);
  return () => drop(id);
}

const said = signal("");

/** Says something to those who do not see that it happened. */
export function announce(text: string) {
  // The same text again would not be said.
  said.value = said.peek() === text ? `${text}\u00a0` : text;
}

/** Shows why something failed. An aborted request is no failure. */
export function toastError(error: unknown) {
  if (error instanceof DOMException && error.name === "AbortError") return;
  toast(reasonOf(error), { kind: "bad" });
}

function drop(id: number) {
  shown.value = shown.peek().filter((one) => one.id !== id);
}

/** Shows the messages of `toast`. The frame has one. */
export function Toasts() {
  const box = useRef<HTMLElement>(null);
  const now = shown.value;
  // A popover is above dialogs, but only if it opens after them.
  useEffect(() => {
    if (now.length === 0 || !box.current) return;
    box.current.hidePopover();
    box.current.showPopover();
  }, [now]);
  return (
    <>
      <div class="hidden" role="status">
        {said.value}
      </div>
      <section ref={box} class="toasts" popover="manual" aria-live="polite">
        {now.map((one) => (
          <Toast key={one.id} {...one} />
        ))}
      </section>
    </>
  );
}

function Toast({ id, text, kind = "plain", undo, action, lasts }: Shown) {
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const time = lasts ?? (undo || kind === "bad" ? 10_000 : 5000);
  const start = () => {
    timer.current = setTimeout(() => drop(id), time);
  };
  const stop = () => clearTimeout(timer.current);
  // The time begins once.
  useEffect(() => {
    start();
    return stop;
  }, [id]);
  const button = undo ? { text: common().actions.undo, run: undo } : action;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the time stops while somebody reads.
    <div
      class={`toast ${kind}`}
      role={kind === "bad" ? "alert" : undefined}
      onMouseEnter={stop}
      onMouseLeave={start}
      onFocusIn={stop}
      onFocusOut={start}
    >
      <span class="grow">{text}</span>
      {button && (
        <button
          type="button"
          class="button small undo"
          onClick={() => {
            drop(id);
            button.run();
          }}
        >
          {button.text}
        </button>
      )}
      <IconButton small icon="close" label={common().actions.dismiss} onClick={() => drop(id)} />
    </div>
  );
}
