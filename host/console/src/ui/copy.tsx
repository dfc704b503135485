import { useState } from "preact/hooks";
import { common } from "../i18n";
import { IconButton } from "./button";
import { toastError } from "./toast";

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
          navigator.clipboard.writeText(text).then(() => {
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
