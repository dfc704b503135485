/** Which modules serve, in which version. */
import type { Module, Modules } from "../../admin";
import { micros, number, percent, shortHash } from "../../format";
import { useQuery } from "../../query";
import { href } from "../../router";
import { admin } from "../../server";
import { Ago } from "../../ui/ago";
import { Badge, Loaded } from "../../ui/states";
import { text } from "./text";

export function LiveModules() {
  const t = text().modules;
  const query = useQuery((signal) => admin.get<Modules>("modules", {}, signal), [], { every: 5000 });
  return (
    <section class="card">
      <div class="head">
        <h2>{t.title}</h2>
        {query.data && <span class="muted small">{t.generation(number(query.data.generation))}</span>}
      </div>
      <Loaded query={query} lines={5}>
        {({ modules }) => (
          <table class="live">
            <thead>
              <tr>
                <th scope="col">{t.name}</th>
                <th scope="col">{t.version}</th>
                <th scope="col">{t.since}</th>
                <th scope="col" class="number">
                  {t.calls}
                </th>
                <th scope="col" class="number">
                  {t.failed}
                </th>
                <th scope="col" class="number">
                  {t.p99}
                </th>
              </tr>
            </thead>
            <tbody>
              {modules.map((module) => (
                <Row key={module.name} module={module} />
              ))}
            </tbody>
          </table>
        )}
      </Loaded>
    </section>
  );
}

function Row({ module }: { module: Module }) {
  const t = text().modules;
  const { name, version, since, calls, probation, canary, shadow } = module;
  return (
    <tr>
      <th scope="row">
        <span class="row wrap">
          <a href={href("modules", [name])}>{name}</a>
          {probation && <Badge tone="info">{t.probation}</Badge>}
          {canary && <Badge tone="accent">{t.canary(percent(canary.percent, 1))}</Badge>}
          {shadow && <Badge>{t.shadow}</Badge>}
          {calls.traps > 0 && <Badge tone="bad">{t.traps(number(calls.traps))}</Badge>}
        </span>
      </th>
      <td class="mono" title={version}>
        {shortHash(version)}
      </td>
      <td>
        <Ago at={since} />
      </td>
      <td class="number">{number(calls.calls)}</td>
      <td class="number">{number(calls.failed)}</td>
      <td class="number">{micros(calls.p99Us)}</td>
    </tr>
  );
}
