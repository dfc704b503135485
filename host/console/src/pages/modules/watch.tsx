/** What a version on trial did worse than the one that stands by, against its limits. */
import type { Thresholds, Watch } from "../../admin";
import { number, percent } from "../../format";
import { Notice, Progress } from "../../ui/states";
import { text } from "./text";

/** A call in which the version on trial did worse. */
interface Regression {
  callId: string;
  method: string;
  trial: string;
  before: string;
}

export function WatchView({ watch, thresholds }: { watch: Watch; thresholds: Thresholds }) {
  const t = text().trial;
  const { calls, faults, errors, reason } = watch;
  const latest = [...(watch.latest as Regression[])].reverse();
  const share = calls > 0 ? (errors * 100) / calls : 0;
  // It is taken back when both the number and the share are reached.
  const errorsPart = Math.min(errors / thresholds.errors, share / thresholds.errorsPercent) * 100;
  return (
    <div class="stack">
      {reason && (
        <Notice tone="bad">
          <strong>{t.tripped}</strong>
          <p class="small">{reason}</p>
        </Notice>
      )}
      <div class="meters">
        <Meter
          name={t.faults}
          value={`${number(faults)} / ${number(thresholds.faults)}`}
          part={(faults / thresholds.faults) * 100}
          hint={t.faultsHint(number(thresholds.faults))}
        />
        <Meter
          name={t.errors}
          value={`${number(errors)} / ${number(thresholds.errors)} · ${percent(share, 1)}`}
          part={errorsPart}
          hint={t.errorsHint(number(thresholds.errors), percent(thresholds.errorsPercent, 1))}
        />
      </div>
      <div>
        <h3>{t.regressions}</h3>
        {latest.length === 0 && <p class="muted small">{t.noRegressions}</p>}
        {latest.length > 0 && <Regressions latest={latest} />}
      </div>
    </div>
  );
}

interface MeterProps {
  name: string;
  value: string;
  /** Percent of the way to the limit. */
  part: number;
  hint: string;
}

function Meter({ name, value, part, hint }: MeterProps) {
  return (
    <div class="meter">
      <div class="head">
        <span>{name}</span>
        <strong class="number">{value}</strong>
      </div>
      <Progress value={part} label={name} tone={part >= 100 ? "bad" : part > 0 ? "warn" : "good"} />
      <p class="muted small">{hint}</p>
    </div>
  );
}

function Regressions({ latest }: { latest: readonly Regression[] }) {
  const t = text().trial;
  return (
    <ul class="regressions">
      {latest.map(({ callId, method, trial, before }) => (
        <li key={callId}>
          <div class="row wrap">
            <span class="mono">{method}</span>
            <span class="muted small mono">
              {t.call} {callId}
            </span>
          </div>
          <dl class="sides">
            <div>
              <dt>{t.before}</dt>
              <dd class="mono">{before}</dd>
            </div>
            <div class="worse">
              <dt>{t.onTrial}</dt>
              <dd class="mono">{trial}</dd>
            </div>
          </dl>
        </li>
      ))}
    </ul>
  );
}
