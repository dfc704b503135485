/** JSON in colours, and any other text as it is. */
import { useMemo } from "preact/hooks";
import { CopyButton } from "../../ui/copy";
import { isJson, tokens } from "./json";

/** A longer text has no colours: each token is an element. In characters. */
const mostColoured = 60_000;

export function JsonView({ text, label }: { text: string; label: string }) {
  const parts = useMemo(() => (text.length > mostColoured || !isJson(text) ? [] : tokens(text)), [text]);
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
