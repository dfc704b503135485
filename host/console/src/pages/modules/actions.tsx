/** What a person does to live modules: promote, abort, roll back, unload. Each asks first. */
import type { Canary, HistoryEntry, Module, Modules } from "../../admin";
import { number, percent, shortHash } from "../../format";
import { AdminError } from "../../server";
import { ask } from "../../ui/dialog";
import { toast, toastError } from "../../ui/toast";
import * as calls from "./calls";
import { type Change, changes } from "./changes";
import { withReport } from "./report";
import { text } from "./text";

/** Runs an action, and then loads the page again. A failure is shown. */
async function run(action: () => Promise<string | undefined>, reload: () => void) {
  try {
    const done = await action();
    if (done) toast(done);
  } catch (error) {
    toastError(error);
  }
  reload();
}

export async function promote({ name, canary, shadow }: Module, reload: () => void) {
  const t = text().trial;
  const version = shortHash((canary ?? shadow)?.version ?? "");
  if (!(await ask({ title: t.promoteTitle(name), body: t.promoteBody(version), action: t.promote }))) return;
  await run(async () => {
    const done = await withReport((force) => calls.promote(name, force));
    return done && t.promoted(name);
  }, reload);
}

export async function abort({ name, canary, shadow }: Module, reload: () => void) {
  const t = text().trial;
  const probation = !canary && !shadow;
  const question = probation
    ? { title: t.abortProbationTitle(name), body: t.abortProbationBody, action: t.endProbation, danger: true }
    : { title: t.abortTitle(name), body: t.abortBody, action: t.abort, danger: true };
  if (!(await ask(question))) return;
  await run(async () => {
    await calls.abort(name);
    return t.aborted(name);
  }, reload);
}

export async function changeShare(name: string, share: number, reload: () => void): Promise<void> {
  await run(async () => {
    const canary: Canary = await calls.share(name, share);
    return text().trial.shareChanged(name, percent(canary.percent, 1));
  }, reload);
}

export async function rollBack(entry: HistoryEntry, now: Modules, reload: () => void) {
  const t = text().history;
  const live = now.modules.map(({ name, version }) => [name, version] as const);
  const found = changes(live, entry.modules);
  const generation = number(entry.generation);
  const body = found.length > 0 ? <ChangeList found={found} intro={t.body} /> : t.same;
  if (!(await ask({ title: t.title(generation), body, action: t.back, danger: true }))) return;
  await run(async () => {
    const done = await calls.rollback(entry.generation);
    return t.done(number(done.generation));
  }, reload);
}

export async function unload({ name, methods }: Module, reload: () => void) {
  const t = text().unload;
  const question = { title: t.title(name), body: t.body(methods.length), action: t.action, danger: true };
  if (!(await ask(question))) return;
  await run(async () => {
    try {
      await calls.unload(name, false);
    } catch (error) {
      if (!(error instanceof AdminError) || error.status !== 409) throw error;
      const body = (
        <>
          <p>{error.message}</p>
          <p class="muted">{t.forceBody}</p>
        </>
      );
      if (!(await ask({ title: t.forceTitle, body, action: t.force, danger: true }))) return undefined;
      await calls.unload(name, true);
    }
    return t.done(name);
  }, reload);
}

/** What changes, a module a line: `favorites 9f2c… → 41d0…`. */
export function ChangeList({ found, intro }: { found: readonly Change[]; intro?: string }) {
  const t = text().history;
  const version = (hash: string | undefined, absent: string) =>
    hash === undefined ? <em>{absent}</em> : <span class="mono">{shortHash(hash)}</span>;
  return (
    <>
      {intro && <p>{intro}</p>}
      <ul class="changes">
        {found.map(({ name, before, after }) => (
          <li key={name}>
            <span>{name}</span> {before !== undefined && <>{version(before, "")} → </>}
            {version(after, t.removed)}
            {before === undefined && <em> {t.added}</em>}
          </li>
        ))}
      </ul>
    </>
  );
}
