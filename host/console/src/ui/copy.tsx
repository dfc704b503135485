import { useState } from "preact/hooks";
import { common } from "../i18n";
import { IconButton } from "./button";
import { toastError } from "./toast";

/**
 * Puts a text into the clipboard. Browsers give pages of plain HTTP no `navigator.clipboard`, except
 * those of the same machine. There an older way still works.
 */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const before = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "hidden";
  // Outside of an open dialog nothing can be selected.
  (before?.closest("dialog") ?? document.body).append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  if (!copied) throw new Error(common().states.notCopied);
}

/** Copies a text, and says so. */
export function CopyButton({ text, label = common().actions.copy }: { text: string; label?: string }) {
  const [done, setDone] = useState(false);
  return (
    <>
      <IconButton
        small
        icon={done ? "check" : "copy"}
        label={done ? common().actions.copied : label}
        onClick={() => {
          copyText(text).then(() => {
            setDone(true);
            setTimeout(() => setDone(false), 2000);
          }, toastError);
        }}
      />
      <span class="hidden" aria-live="polite">
        {done && common().actions.copied}
      </span>
    </>
  );
}
