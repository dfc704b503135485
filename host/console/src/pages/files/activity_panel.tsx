/** The uploads and downloads of this tab, below the list. */
import { useState } from "preact/hooks";
import { bytes } from "../../format";
import { common } from "../../i18n";
import { href } from "../../router";
import { IconButton } from "../../ui/button";
import { Icon } from "../../ui/icon";
import { Progress } from "../../ui/states";
import { type Activity, activities, cancel, forget, hasEnded, retry } from "./activity";
import { text } from "./text";

export function ActivityPanel() {
  const t = text().activity;
  const all = activities.value;
  const [open, setOpen] = useState(true);
  if (all.length === 0) return null;
  const running = all.filter((one) => !hasEnded(one)).length;
  return (
    <section class="activity" aria-label={t.title}>
      <div class="head">
        <div>
          <h2>{t.summary(running)}</h2>
          {running > 0 && <p class="muted small">{t.leave}</p>}
        </div>
        <IconButton small icon="trash" label={t.clear} disabled={running === all.length} onClick={() => forget()} />
        <IconButton
          small
          icon={open ? "chevronDown" : "chevronUp"}
          label={open ? t.hide : t.show}
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        />
      </div>
      {open && (
        <ul>
          {[...all].reverse().map((one) => (
            <Row key={one.id} {...one} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Row(one: Activity) {
  const t = text().activity;
  const { id, kind, name, state, loaded, total } = one;
  const ended = hasEnded(one);
  const part = state === "done" ? 100 : total ? (100 * loaded) / total : 0;
  const tones = { done: "good", failed: "bad", cancelled: "idle", waiting: "idle" } as const;
  const tone = state in tones ? tones[state as keyof typeof tones] : "accent";
  return (
    <li>
      <Icon name={kind} />
      <div class="grow">
        <div class="row">
          <span class="grow ellipsis" title={name}>
            {name}
          </span>
          <span class="muted small number">{stateText(one)}</span>
        </div>
        <Progress value={state === "storing" ? 100 : part} label={t.progress(name)} tone={tone} />
        {state === "failed" && (
          <p class="error small" role="alert">
            {one.error ?? <a href={href("transfers")}>{t.code(one.code ?? 0)}</a>}
          </p>
        )}
      </div>
      {state === "failed" || state === "cancelled" ? (
        <IconButton small icon="retry" label={`${common().actions.retry}: ${name}`} onClick={() => retry(id)} />
      ) : null}
      {ended ? (
        <IconButton small icon="close" label={`${common().actions.dismiss}: ${name}`} onClick={() => forget(id)} />
      ) : (
        state !== "storing" && (
          <IconButton small icon="close" label={`${common().actions.cancel}: ${name}`} onClick={() => cancel(id)} />
        )
      )}
    </li>
  );
}

function stateText({ kind, state, loaded, total }: Activity): string {
  const t = text().activity;
  if (state !== "running") return t[state];
  const so = total === null ? bytes(loaded) : `${bytes(loaded)} / ${bytes(total)}`;
  return `${kind === "upload" ? t.running : t.receiving} ${so}`;
}
