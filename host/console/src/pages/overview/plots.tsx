import type { Second } from "../../admin";
import { micros, number } from "../../format";
import { Plot } from "../../ui/plot";
import { text } from "./text";
import { recent } from "./timeline";

export function CallPlots({ timeline }: { timeline: readonly Second[] }) {
  const t = text().calls;
  const now = recent(timeline);
  const rate = number(now.rate, 1);
  const times = timeline.map((second) => second.at);
  return (
    <div class="overview-pair even">
      <section class="card">
        <div class="head">
          <h2>{t.title}</h2>
          <div class="readings">
            <Reading name={t.calls} value={rate} color="accent" />
            <Reading name={t.failed} value={number(now.failed)} color="bad" />
          </div>
        </div>
        <Plot
          label={t.callsLabel(rate, number(now.failed))}
          times={times}
          format={(value) => number(value, 1)}
          series={[
            { label: t.calls, color: "var(--accent)", fill: true, values: timeline.map((second) => second.calls) },
            { label: t.failed, color: "var(--bad)", bars: true, values: timeline.map((second) => second.failed) },
          ]}
        />
      </section>
      <section class="card">
        <div class="head">
          <h2>{t.latency}</h2>
          <div class="readings">
            <Reading name={t.p50} value={micros(now.p50Us)} color="accent" />
            <Reading name={t.p99} value={micros(now.p99Us)} color="second" />
          </div>
        </div>
        <Plot
          label={t.latencyLabel(micros(now.p50Us), micros(now.p99Us))}
          times={times}
          format={micros}
          log
          series={[
            { label: t.p50, color: "var(--accent)", values: timeline.map((second) => measured(second.p50Us)) },
            { label: t.p99, color: "var(--part-2)", values: timeline.map((second) => measured(second.p99Us)) },
          ]}
        />
      </section>
    </div>
  );
}

/** A value beside the colour of its line. */
function Reading({ name, value, color }: { name: string; value: string; color: "accent" | "bad" | "second" }) {
  return (
    <span class={`reading ${color}`}>
      {name} <strong>{value}</strong>
    </span>
  );
}

/** A call from the response cache may take less than a microsecond. A logarithm of zero is no place. */
function measured(us: number | null): number | null {
  return us === null ? null : Math.max(1, us);
}
