/** What a row shows: as columns, and as a card in a narrow window. */
import type { TaskRow } from "stowage-client";
import { bytes, duration, percent, rate } from "../../format";
import { common } from "../../i18n";
import type { SimpleAction } from "../../tasks/change";
import { type Phase, phaseOf } from "../../tasks/phase";
import { reasonOf, text as taskText } from "../../tasks/text";
import { Ago } from "../../ui/ago";
import type { Column } from "../../ui/grid";
import { Icon } from "../../ui/icon";
import { Badge, Progress, type ProgressProps, type Tone } from "../../ui/states";
import type { Asked } from "./dialogs";
import { RowActions } from "./row_actions";
import { text } from "./text";

export interface Actions {
  act: (action: SimpleAction, rows: readonly TaskRow[]) => void;
  ask: (what: Asked) => void;
}

const tones: Record<Phase, Tone> = {
  running: "accent",
  waiting: "neutral",
  paused: "warn",
  failed: "bad",
  done: "good",
  gone: "neutral",
};

const bars: Record<Phase, ProgressProps["tone"]> = {
  running: "accent",
  waiting: "idle",
  paused: "warn",
  failed: "bad",
  done: "good",
  gone: "idle",
};

export function columnsOf(actions: Actions): Column<TaskRow>[] {
  const t = text().columns;
  return [
    { id: "name", title: t.name, track: "minmax(160px, 3fr)", sortable: true, cell: (row) => <Name row={row} /> },
    { id: "progress", title: t.progress, track: "minmax(150px, 2fr)", cell: (row) => <State row={row} /> },
    {
      id: "size",
      title: t.size,
      track: "76px",
      align: "end",
      sortable: true,
      cell: (row) => bytes(row.size),
    },
    {
      id: "speed",
      title: t.speed,
      track: "92px",
      align: "end",
      cell: (row) => (row.speed > 0 ? rate(row.speed) : <Nothing />),
    },
    {
      id: "left",
      title: t.left,
      track: "96px",
      align: "end",
      cell: (row) => (row.remaining > 0 ? duration(row.remaining) : <Nothing />),
    },
    {
      id: "time",
      title: t.time,
      track: "104px",
      align: "end",
      sortable: true,
      cell: (row) => (
        <span class="muted">
          <Ago at={row.time} />
        </span>
      ),
    },
    {
      id: "actions",
      title: t.actions,
      track: "76px",
      align: "end",
      cell: (row) => <RowActions row={row} {...actions} />,
    },
  ];
}

/** For sighted people the place is empty, and for others there is nothing to hear. */
function Nothing() {
  return (
    <span class="muted" aria-hidden="true">
      –
    </span>
  );
}

function Name({ row }: { row: TaskRow }) {
  return (
    <div class="task-name">
      <Direction row={row} />
      <div class="grow">
        <div class="ellipsis" title={row.name || row.hash}>
          {row.name || row.hash}
        </div>
        <div class="muted small ellipsis">
          {common().platforms[row.shareIndex] ?? row.shareIndex}
          {row.isCrypt === 1 && <Locked />}
        </div>
      </div>
    </div>
  );
}

function Direction({ row }: { row: TaskRow }) {
  const t = taskText();
  return (
    <span class={`task-direction ${row.type === 0 ? "up" : "down"}`} title={row.type === 0 ? t.upload : t.download}>
      <Icon name={row.type === 0 ? "arrowUp" : "arrowDown"} />
      <span class="hidden">{row.type === 0 ? t.upload : t.download}</span>
    </span>
  );
}

function Locked() {
  return (
    <span class="task-lock" title={text().detail.protected}>
      <Icon name="lock" />
      <span class="hidden">{text().detail.protected}</span>
    </span>
  );
}

function State({ row }: { row: TaskRow }) {
  const t = taskText();
  const phase = phaseOf(row);
  const reason = reasonOf(row);
  return (
    <div class="task-state">
      <div class="row">
        <Badge tone={tones[phase]}>{t.phases[phase]}</Badge>
        <span class="grow small muted ellipsis" title={reason}>
          {reason}
        </span>
        {phase !== "done" && <span class="small number">{percent(row.progress)}</span>}
      </div>
      {phase !== "done" && (
        <Progress value={row.progress} tone={bars[phase]} label={t.progress(row.name || row.hash)} />
      )}
    </div>
  );
}

export function Card({ row, ...actions }: Actions & { row: TaskRow }) {
  const speed = [row.speed > 0 && rate(row.speed), row.remaining > 0 && duration(row.remaining)];
  const facts = [bytes(row.size), common().platforms[row.shareIndex], ...speed].filter(Boolean);
  return (
    <div class="task-card">
      <div class="row">
        <Direction row={row} />
        <span class="grow ellipsis" title={row.name || row.hash}>
          {row.name || row.hash}
        </span>
        <RowActions row={row} {...actions} />
      </div>
      <State row={row} />
      <div class="muted small ellipsis">{facts.join(" · ")}</div>
    </div>
  );
}
