/** What the check of a module found, step by step, with what to do. */
import { signal } from "@preact/signals";
import type { CheckReport } from "../../admin";
import { shortHash } from "../../format";
import { common } from "../../i18n";
import { AdminError } from "../../server";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Icon } from "../../ui/icon";
import { Badge, Notice } from "../../ui/states";
import { text } from "./text";

export function Report({ report }: { report: CheckReport }) {
  const t = text().report;
  return (
    <section class="report" aria-label={`${t.label}: ${report.name}`}>
      <h3>
        {report.name} <span class="mono muted">{shortHash(report.version)}</span>
      </h3>
      <ol>
        {report.steps.map((step) => (
          <li key={step.name} class="step" data-passed={step.passed}>
            <Icon name={step.passed ? "check" : "close"} />
            <div class="grow">
              <div class="row wrap">
                <strong>{t.steps[step.name] ?? step.name}</strong>
                {step.passed ? (
                  <span class="hidden">{t.passed}</span>
                ) : (
                  <Badge tone={step.forceable ? "warn" : "bad"}>{step.forceable ? t.forceable : t.failed}</Badge>
                )}
              </div>
              {step.lines.map((line, n) => (
                // The lines of a report never change.
                <p key={n} class={step.passed ? "muted small" : "mono finding"}>
                  {line}
                </p>
              ))}
              {!step.passed && t.advice[step.name] && <p class="small">{t.advice[step.name]}</p>}
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Whether everything that failed may be overridden. */
export function canBeForced(report: CheckReport): boolean {
  return !report.passed && report.steps.every((step) => step.passed || step.forceable);
}

interface Refusal {
  report: CheckReport;
  answer: (force: boolean) => void;
}

const refusal = signal<Refusal | null>(null);

/**
 * Runs an action of the server. If a check refuses it, its report is shown, and the person may force
 * it if the server allows that. Undefined if they did not.
 */
export async function withReport<T>(run: (force: boolean) => Promise<T>): Promise<T | undefined> {
  try {
    return await run(false);
  } catch (error) {
    const report = error instanceof AdminError ? error.report : undefined;
    if (!report) throw error;
    const force = await new Promise<boolean>((resolve) => {
      refusal.value = {
        report,
        answer: (yes) => {
          refusal.value = null;
          resolve(yes);
        },
      };
    });
    return force ? run(true) : undefined;
  }
}

/** Shows what refused an action of `withReport`. The page has one. */
export function Refusals() {
  const now = refusal.value;
  if (!now) return null;
  const t = text().report;
  const forced = canBeForced(now.report);
  return (
    <Dialog
      wide
      open
      title={t.refused}
      onClose={() => now.answer(false)}
      actions={
        <>
          <Button onClick={() => now.answer(false)}>{common().actions.close}</Button>
          {forced && (
            <Button kind="danger" onClick={() => now.answer(true)}>
              {t.force}
            </Button>
          )}
        </>
      }
    >
      <p>{t.refusedBody}</p>
      <Report report={now.report} />
      <Notice tone={forced ? "warn" : "info"}>{forced ? t.forceBody : t.noForce}</Notice>
    </Dialog>
  );
}
