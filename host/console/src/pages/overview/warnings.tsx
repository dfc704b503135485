import type { Warning } from "../../admin";
import { Icon } from "../../ui/icon";
import { text } from "./text";
import { translated } from "./warning_text";

/** What is wrong and what to do, the errors first. Without warnings one calm line. */
export function Warnings({ warnings }: { warnings: readonly Warning[] }) {
  const t = text();
  const sorted = [...warnings].sort((a, b) => rank(a) - rank(b));
  return (
    <section aria-label={t.warnings} aria-live="polite">
      {sorted.length === 0 && (
        <p class="fine">
          <Icon name="check" />
          {t.fine}
        </p>
      )}
      {sorted.length > 0 && (
        <ul class="warnings">
          {sorted.map((warning) => {
            const { message, action } = translated(warning);
            return (
              <li
                key={`${warning.id} ${warning.message}`}
                class={`notice ${warning.severity === "error" ? "bad" : "warn"}`}
              >
                <Icon name="warning" />
                <div>
                  <strong>{message}</strong>
                  <p>{action}</p>
                </div>
              </li>
            );
          })}
        </ul>
      )}
    </section>
  );
}

function rank(warning: Warning): number {
  return warning.severity === "error" ? 0 : 1;
}
