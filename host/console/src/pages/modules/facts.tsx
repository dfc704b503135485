/** One live version: where it comes from, how its calls go, its methods. */
import { useState } from "preact/hooks";
import type { Module } from "../../admin";
import { bytes, dateTime, micros, number } from "../../format";
import { Search } from "../../ui/field";
import { Fact, Version } from "./parts";
import { text } from "./text";

export function Facts({ module }: { module: Module }) {
  const t = text();
  const f = t.facts;
  const { calls } = module;
  const codes = Object.entries(calls.codes).sort(([, a], [, b]) => b - a);
  return (
    <div class="halves">
      <section class="card">
        <h2>{f.title}</h2>
        <dl class="facts">
          <Fact name={f.version}>
            <Version hash={module.version} />
          </Fact>
          <Fact name={f.since}>{dateTime(module.since)}</Fact>
          <Fact name={f.by}>{t.by[module.by] ?? module.by}</Fact>
          <Fact name={f.source}>
            <span class="mono break">{module.source}</span>
          </Fact>
          <Fact name={f.size}>{bytes(module.size)}</Fact>
          <Fact name={f.schema}>{module.schema === null ? f.noSchema : number(module.schema)}</Fact>
        </dl>
      </section>
      <section class="card">
        <h2>{f.calls}</h2>
        <p class="muted small">{f.callsHint}</p>
        <dl class="tiles">
          <Tile name={f.calls}>{number(calls.calls + calls.remembered)}</Tile>
          <Tile name={f.failed}>{number(calls.failed)}</Tile>
          <Tile name={f.traps} bad={calls.traps > 0}>
            {number(calls.traps)}
          </Tile>
          <Tile name={f.deadlines} bad={calls.deadlines > 0}>
            {number(calls.deadlines)}
          </Tile>
          <Tile name={f.remembered}>{number(calls.remembered)}</Tile>
          <Tile name={f.paced}>{number(calls.paced)}</Tile>
          <Tile name={f.p50}>{micros(calls.p50Us)}</Tile>
          <Tile name={f.p99}>{micros(calls.p99Us)}</Tile>
        </dl>
        <h3>{f.codes}</h3>
        {codes.length === 0 && <p class="muted small">{f.noCodes}</p>}
        <dl class="codes">
          {codes.map(([code, times]) => (
            <div key={code}>
              <dt class="mono">
                <span class="hidden">{f.code} </span>
                {code}
              </dt>
              <dd class="number">{number(times)}</dd>
            </div>
          ))}
        </dl>
      </section>
      <Methods methods={module.methods} />
    </div>
  );
}

function Tile({ name, bad, children }: { name: string; bad?: boolean; children: string }) {
  return (
    <div class={bad ? "bad" : undefined}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Methods({ methods }: { methods: readonly string[] }) {
  const f = text().facts;
  const [wanted, setWanted] = useState("");
  const found = methods.filter((method) => method.toLowerCase().includes(wanted.trim().toLowerCase()));
  return (
    <section class="card whole">
      <div class="head">
        <h2>{f.methods(methods.length)}</h2>
        {methods.length > 12 && <Search value={wanted} onInput={setWanted} label={f.filter} />}
      </div>
      {found.length === 0 && <p class="muted">{f.noMethod}</p>}
      <ul class="methods">
        {found.map((method) => (
          <li key={method} class="mono">
            {method}
          </li>
        ))}
      </ul>
    </section>
  );
}
