/** A version on trial: probation, canary or shadow, and how it ends. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Canary, Module, Probation, Shadow } from "../../admin";
import { dateTime, number, percent } from "../../format";
import { useQuery } from "../../query";
import { Button } from "../../ui/button";
import { EmptyState, Loaded } from "../../ui/states";
import { abort, changeShare, promote } from "./actions";
import * as calls from "./calls";
import { Differences } from "./differences";
import { Countdown, Fact, Times, Version } from "./parts";
import { ShareSlider } from "./share";
import { text } from "./text";
import { WatchView } from "./watch";

interface TrialProps {
  module: Module;
  reload: () => void;
}

export function Trial({ module, reload }: TrialProps) {
  const { canary, shadow, probation } = module;
  return (
    <div class="stack">
      {canary && <CanaryView module={module} canary={canary} reload={reload} />}
      {shadow && <ShadowView module={module} shadow={shadow} reload={reload} />}
      {probation && <ProbationView module={module} probation={probation} reload={reload} />}
    </div>
  );
}

interface FrameProps {
  title: string;
  intro: string;
  buttons: ComponentChildren;
  children: ComponentChildren;
}

function Frame({ title, intro, buttons, children }: FrameProps) {
  return (
    <section class="card stack trial">
      <div class="head wrap">
        <div>
          <h2>{title}</h2>
          <p class="muted small">{intro}</p>
        </div>
        {buttons}
      </div>
      {children}
    </section>
  );
}

function EndButtons({ module, reload }: TrialProps) {
  const t = text().trial;
  return (
    <div class="row">
      <Button onClick={() => void abort(module, reload)}>{t.abort}</Button>
      <Button kind="primary" icon="check" onClick={() => void promote(module, reload)}>
        {t.promote}
      </Button>
    </div>
  );
}

function CanaryView({ module, canary, reload }: TrialProps & { canary: Canary }) {
  const t = text().trial;
  const { version, since, methods, watch, thresholds, calls: stats } = canary;
  return (
    <Frame title={t.canaryTitle} intro={t.canaryBody} buttons={<EndButtons module={module} reload={reload} />}>
      <ShareForm name={module.name} percent={canary.percent} reload={reload} />
      <dl class="facts columns">
        <Fact name={t.candidate}>
          <Version hash={version} />
        </Fact>
        <Fact name={t.since}>{dateTime(since)}</Fact>
        <Fact name={t.calls}>{number(stats.calls)}</Fact>
        <Fact name={t.methods}>{methods.length > 0 ? methods.join(", ") : t.allMethods}</Fact>
        <Fact name={t.liveTimes}>
          <Times p50={module.calls.p50Us} p99={module.calls.p99Us} />
        </Fact>
        <Fact name={t.trialTimes}>
          <Times p50={stats.p50Us} p99={stats.p99Us} />
        </Fact>
      </dl>
      <WatchView watch={watch} thresholds={thresholds} />
    </Frame>
  );
}

/** The share that is set, and the one that a person chose and has not applied yet. */
function ShareForm({ name, percent: now, reload }: { name: string; percent: number; reload: () => void }) {
  const t = text().trial;
  const [chosen, setChosen] = useState<number>();
  const [busy, setBusy] = useState(false);
  return (
    <form
      class="share-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (chosen === undefined) return;
        setBusy(true);
        void changeShare(name, chosen, reload).finally(() => {
          setBusy(false);
          setChosen(undefined);
        });
      }}
    >
      <ShareSlider label={t.share} value={chosen ?? now} onChange={setChosen} />
      <Button type="submit" disabled={busy || chosen === undefined || chosen === now}>
        {t.applyShare}
      </Button>
    </form>
  );
}

function ShadowView({ module, shadow, reload }: TrialProps & { shadow: Shadow }) {
  const t = text().trial;
  const { version, since, compared, different, skipped, liveUs, shadowUs, differences } = shadow;
  const { name } = module;
  return (
    <Frame title={t.shadowTitle} intro={t.shadowBody} buttons={<EndButtons module={module} reload={reload} />}>
      <dl class="facts columns">
        <Fact name={t.candidate}>
          <Version hash={version} />
        </Fact>
        <Fact name={t.since}>{dateTime(since)}</Fact>
        <Fact name={t.share}>{percent(shadow.percent, 1)}</Fact>
        <Fact name={t.compared}>{number(compared)}</Fact>
        <Fact name={t.different}>
          <span class={different > 0 ? "warn-text" : undefined}>{number(different)}</span>
        </Fact>
        <Fact name={t.skipped} {...(skipped > 0 && { hint: t.skippedHint })}>
          {number(skipped)}
        </Fact>
        <Fact name={t.liveTimes}>
          <Times p50={liveUs[0]} p99={liveUs[1]} />
        </Fact>
        <Fact name={t.trialTimes}>
          <Times p50={shadowUs[0]} p99={shadowUs[1]} />
        </Fact>
      </dl>
      {differences.length > 0 ? (
        <DifferencesOf name={name} version={version} known={differences.length} />
      ) : (
        <EmptyState icon={compared > 0 ? "check" : "clock"} title={compared > 0 ? t.noDifferences : t.noCalls} />
      )}
    </Frame>
  );
}

/** The calls that differ, loaded again when there are more than the `known` ones. */
function DifferencesOf({ name, version, known }: { name: string; version: string; known: number }) {
  const query = useQuery((signal) => calls.shadowReport(name, signal), [name, version, known]);
  // The shown ones stay while more are loaded.
  const [kept, setKept] = useState<Shadow>();
  if (query.data && query.data !== kept) setKept(query.data);
  const data = query.data ?? kept;
  return (
    <Loaded query={data ? { ...query, data } : query}>{(report) => <Differences found={report.differences} />}</Loaded>
  );
}

function ProbationView({ module, probation, reload }: TrialProps & { probation: Probation }) {
  const t = text().trial;
  const end = (
    <Button icon="history" onClick={() => void abort(module, reload)}>
      {t.endProbation}
    </Button>
  );
  return (
    <Frame title={t.probation} intro={t.probationBody} buttons={end}>
      <dl class="facts columns">
        <Fact name={t.probation}>
          <Countdown until={probation.until} />
        </Fact>
        <Fact name={t.calls}>{number(probation.watch.calls)}</Fact>
      </dl>
      <WatchView watch={probation.watch} thresholds={probation.thresholds} />
    </Frame>
  );
}
