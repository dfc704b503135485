/** Small parts that the views of this page share. */
import type { ComponentChildren } from "preact";
import type { Module } from "../../admin";
import { duration, micros, percent, shortHash } from "../../format";
import { CopyButton } from "../../ui/copy";
import { Badge } from "../../ui/states";
import { useNow } from "./now";
import { text } from "./text";

export function Version({ hash, copy = true }: { hash: string; copy?: boolean }) {
  return (
    <span class="version-hash">
      <span class="mono" title={hash}>
        {shortHash(hash)}
      </span>
      {copy && <CopyButton text={hash} label={text().facts.copy} />}
    </span>
  );
}

/** What is special about the module now: a trial, a probation. */
export function StateBadges({ module }: { module: Module }) {
  const t = text();
  const { probation, canary, shadow } = module;
  const trouble = (canary ?? probation)?.watch;
  const bad = trouble && (trouble.reason || trouble.faults + trouble.errors > 0);
  return (
    <span class="row wrap badges">
      {!probation && !canary && !shadow && <Badge tone="good">{t.list.live}</Badge>}
      {probation && (
        <Badge tone={bad ? "bad" : "info"} icon="clock">
          {t.trial.probation} <Countdown until={probation.until} />
        </Badge>
      )}
      {canary && (
        <Badge tone={bad ? "bad" : "accent"} icon="flask">
          {t.trial.canary(percent(canary.percent, 1))}
        </Badge>
      )}
      {shadow && (
        <Badge tone={shadow.different > 0 ? "warn" : "accent"} icon="flask">
          {t.trial.shadow(percent(shadow.percent, 1))}
        </Badge>
      )}
    </span>
  );
}

/** A screen reader does not hear each second. */
export function Countdown({ until }: { until: number }) {
  const left = Math.max(0, until - useNow()) / 1000;
  return <span role="timer">{duration(left)}</span>;
}

export function Times({ p50, p99 }: { p50: number | null; p99: number | null }) {
  return (
    <span class="number">
      {micros(p50)} / {micros(p99)}
    </span>
  );
}

/** A figure with its name, as in a list of facts. */
export function Fact({ name, hint, children }: { name: string; hint?: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>
        {children}
        {hint && <p class="muted small">{hint}</p>}
      </dd>
    </div>
  );
}
