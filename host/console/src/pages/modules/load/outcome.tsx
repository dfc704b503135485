/** What came of it. */
import { micros, number } from "../../../format";
import { AdminError } from "../../../server";
import { EmptyState, Notice } from "../../../ui/states";
import { canBeForced, Report } from "../report";
import { text } from "../text";
import type { Result } from "./run";

export function Outcome({ result }: { result: Result }) {
  const t = text();
  const l = t.loading;
  switch (result.kind) {
    case "checked": {
      const passed = result.reports.every((report) => report.passed);
      return (
        <div class="stack" role="status">
          <p>
            <strong>{passed ? l.passed : t.report.refused}</strong>
          </p>
          {result.reports.map((report) => (
            <Report key={report.name} report={report} />
          ))}
        </div>
      );
    }
    case "swapped": {
      const { swap, probation } = result;
      if (swap.unchanged) return <EmptyState icon="check" title={l.unchanged} />;
      return (
        <div role="status">
          <EmptyState icon="check" title={l.done.swap(number(swap.generation))}>
            {l.switched(micros(swap.switchUs))} {swap.migratedRows > 0 && l.migrated(number(swap.migratedRows))}{" "}
            {probation && l.onProbation}
          </EmptyState>
        </div>
      );
    }
    case "started":
      return (
        <div role="status">
          <EmptyState icon="flask" title={l.done[result.action](result.name)}>
            {l.explain[result.action]}
          </EmptyState>
        </div>
      );
    case "failed": {
      const { error } = result;
      const report = error instanceof AdminError ? error.report : undefined;
      return (
        <div class="stack" role="alert">
          <Notice tone="bad">
            <p>{error.message}</p>
            <p class="small">{t.report.refusedBody}</p>
          </Notice>
          {report && <Report report={report} />}
          {report && (
            <Notice tone={canBeForced(report) ? "warn" : "info"}>
              {canBeForced(report) ? t.report.forceBody : t.report.noForce}
            </Notice>
          )}
        </div>
      );
    }
  }
}
