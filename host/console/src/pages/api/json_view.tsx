/** JSON in colours. */
import { useMemo } from "preact/hooks";
import { CopyButton } from "../../ui/copy";
import { tokens } from "./json";

/** A longer text has no colours: each token is an element. In characters. */
const mostColoured = 60_000;

export function JsonView({ text, label }: { text: string; label: string }) {
  const parts = useMemo(() => (text.length > mostColoured ? [] : tokens(text)), [text]);
  return (
    <div class="code">
      <div class="code-tools">
        <CopyButton text={text} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a long text is scrolled by the keyboard. */}
      <pre tabIndex={0} role="group" aria-label={label}>
        {parts.length === 0
          ? text
          : parts.map(({ kind, text }, at) =>
              kind === "space" || kind === "mark" ? (
                text
              ) : (
                <span key={at} class={`json-${kind}`}>
                  {text}
                </span>
              ),
            )}
      </pre>
    </div>
  );
}
