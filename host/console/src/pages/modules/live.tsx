/** The live set as a table. */
import type { Module, Modules } from "../../admin";
import { ago, dateTime, micros, number, shortHash } from "../../format";
import { href } from "../../router";
import { Button } from "../../ui/button";
import { Icon } from "../../ui/icon";
import { Badge, EmptyState } from "../../ui/states";
import { StateBadges, Version } from "./parts";
import { text } from "./text";

export function Live({ now, onLoad }: { now: Modules; onLoad: () => void }) {
  const t = text();
  const l = t.list;
  if (now.modules.length === 0) {
    return (
      <EmptyState
        icon="modules"
        title={l.empty}
        action={
          <Button kind="primary" icon="upload" onClick={onLoad}>
            {t.load}
          </Button>
        }
      >
        {l.emptyBody}
      </EmptyState>
    );
  }
  return (
    <div class="card table-card">
      <table class="modules">
        <caption class="hidden">{l.label}</caption>
        <thead>
          <tr>
            <th scope="col">{l.name}</th>
            <th scope="col">{l.state}</th>
            <th scope="col" class="number">
              {l.calls}
            </th>
            <th scope="col" class="number">
              {l.failed}
            </th>
            <th scope="col" class="number">
              {l.traps}
            </th>
            <th scope="col" class="number">
              {l.times}
            </th>
            <th scope="col">{l.since}</th>
          </tr>
        </thead>
        <tbody>
          {now.modules.map((module) => (
            <Line key={module.name} module={module} draining={drainingOf(now, module.name)} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function drainingOf(now: Modules, name: string): string[] {
  return now.draining.filter((old) => old.name === name).map((old) => old.version);
}

function Line({ module, draining }: { module: Module; draining: readonly string[] }) {
  const t = text();
  const l = t.list;
  const { name, version, calls, since, by, source } = module;
  const trial = module.canary || module.shadow || module.probation;
  return (
    <tr>
      <th scope="row">
        <a class="module-name" href={href("modules", ["live", name])}>
          {name}
        </a>
        <Version hash={version} />
      </th>
      <td>
        <StateBadges module={module} />
        {trial && (
          <a class="small watch-link" href={href("modules", ["live", name, "trial"])}>
            {t.trial.watch}
            <Icon name="chevronRight" />
          </a>
        )}
        {draining.map((old) => (
          <Badge key={old}>{l.draining(shortHash(old))}</Badge>
        ))}
      </td>
      <td class="number" data-label={l.calls}>
        {number(calls.calls + calls.remembered)}
      </td>
      <td class="number" data-label={l.failed}>
        {number(calls.failed)}
      </td>
      <td class={`number${calls.traps > 0 ? " bad" : ""}`} data-label={l.traps}>
        {number(calls.traps)}
      </td>
      <td class="number" data-label={l.times}>
        {micros(calls.p50Us)} / {micros(calls.p99Us)}
      </td>
      <td data-label={l.since}>
        <time dateTime={new Date(since).toISOString()} title={dateTime(since)}>
          {ago(since)}
        </time>
        <div class="muted small ellipsis" title={source}>
          {t.by[by] ?? by} · {source}
        </div>
      </td>
    </tr>
  );
}
