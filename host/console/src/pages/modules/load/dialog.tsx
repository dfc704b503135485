/** Loads files as modules: which ones, under which names, and what to do with them. */
import { useState } from "preact/hooks";
import type { Module } from "../../../admin";
import { bytes } from "../../../format";
import { common } from "../../../i18n";
import { href } from "../../../router";
import { AdminError } from "../../../server";
import { Button } from "../../../ui/button";
import { Dialog } from "../../../ui/dialog";
import { Notice } from "../../../ui/states";
import { canBeForced } from "../report";
import { text } from "../text";
import { Busy } from "./busy";
import { Choice } from "./choice";
import { ActionForm } from "./form";
import { Outcome } from "./outcome";
import { type Picked, usePicked } from "./picked";
import { initial, type Plan, problemsOf } from "./plan";
import { type Result, run } from "./run";

interface LoadDialogProps {
  files: File[];
  /** The module whose page is open: the first file is meant for it. */
  module?: string;
  now: readonly Module[];
  onClose: () => void;
  onDone: () => void;
}

export function LoadDialog({ files, module, now, onClose, onDone }: LoadDialogProps) {
  const t = text().loading;
  const live = now.map(({ name }) => name);
  const picked = usePicked(files, live, module);
  const [plan, setPlan] = useState<Plan>(initial);
  const [busy, setBusy] = useState<{ since: number; size: number }>();
  const [result, setResult] = useState<Result>();
  const single = picked.list.length === 1;
  const action = single || plan.action === "check" ? plan.action : "swap";
  const wanted = { ...plan, action };
  const problems = problemsOf(wanted, picked.list);
  const ready = picked.list.length > 0 && Object.keys(problems).length === 0 && !picked.problem;

  const start = async (force: boolean, what: Plan = wanted) => {
    const size = picked.list.reduce((sum, { file }) => sum + file.size, 0);
    setBusy({ since: Date.now(), size });
    setPlan(what);
    setResult(await run(what, picked.list, force));
    setBusy(undefined);
    onDone();
  };

  return (
    <Dialog
      wide
      open
      title={t.title}
      onClose={onClose}
      {...(!busy && !result && { onSubmit: () => ready && void start(false) })}
      actions={
        <Buttons
          busy={busy !== undefined}
          result={result}
          picked={picked.list}
          ready={ready}
          plan={wanted}
          onBack={() => setResult(undefined)}
          onClose={onClose}
          onForce={() => void start(true)}
          onSwap={() => void start(false, { ...wanted, action: "swap" })}
        />
      }
    >
      {busy && <Busy {...busy} />}
      {!busy && result && <Outcome result={result} />}
      {!busy && !result && (
        <>
          <Choice picked={picked} live={now} problems={problems} />
          {picked.list.length > 0 && (
            <ActionForm
              plan={wanted}
              onChange={setPlan}
              problems={problems}
              single={single}
              methods={now.find(({ name }) => name === picked.list[0]?.name)?.methods ?? []}
            />
          )}
          {picked.problem && <Notice tone="bad">{picked.problem}</Notice>}
        </>
      )}
      <span class="hidden" aria-live="polite">
        {busy && t.busy(bytes(busy.size))}
      </span>
    </Dialog>
  );
}

interface ButtonsProps {
  busy: boolean;
  result: Result | undefined;
  picked: readonly Picked[];
  ready: boolean;
  plan: Plan;
  onBack: () => void;
  onClose: () => void;
  onForce: () => void;
  onSwap: () => void;
}

function Buttons(props: ButtonsProps) {
  const { busy, result, picked, ready, plan, onBack, onClose, onForce, onSwap } = props;
  const t = text();
  const close = <Button onClick={onClose}>{common().actions.close}</Button>;
  if (busy) return close;
  if (!result) {
    return (
      <>
        <Button onClick={onClose}>{common().actions.cancel}</Button>
        <Button kind="primary" type="submit" disabled={!ready}>
          {t.loading.run[plan.action]}
        </Button>
      </>
    );
  }
  const back = <Button onClick={onBack}>{t.loading.back}</Button>;
  if (result.kind === "checked") {
    const passed = result.reports.every((report) => report.passed);
    return (
      <>
        {back}
        {passed ? (
          <Button kind="primary" onClick={onSwap}>
            {t.loading.run.swap}
          </Button>
        ) : (
          close
        )}
      </>
    );
  }
  if (result.kind === "failed") {
    const report = result.error instanceof AdminError ? result.error.report : undefined;
    const forceable = report !== undefined && canBeForced(report) && plan.action !== "shadow";
    return (
      <>
        {back}
        {forceable && (
          <Button kind="danger" onClick={onForce}>
            {t.report.force}
          </Button>
        )}
        {!forceable && close}
      </>
    );
  }
  const name = picked[0]?.name ?? "";
  const watched = picked.length === 1 && !(result.kind === "swapped" && result.swap.unchanged);
  return (
    <>
      {watched && (
        <a class="button" href={href("modules", ["live", name, "trial"])} onClick={onClose}>
          {t.loading.watch}
        </a>
      )}
      <Button kind="primary" onClick={onClose}>
        {common().actions.close}
      </Button>
    </>
  );
}
