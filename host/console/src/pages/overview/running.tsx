/** The transfers that run now, a few of them. */
import type { TaskRow } from "stowage-client";
import { duration, number, percent, rate } from "../../format";
import { common } from "../../i18n";
import { href } from "../../router";
import { runningTasks, useTasks } from "../../tasks/feed";
import { phaseOf } from "../../tasks/phase";
import { text as taskText } from "../../tasks/text";
import { Icon } from "../../ui/icon";
import { EmptyState, Progress, Skeleton } from "../../ui/states";
import { text } from "./text";

const most = 5;

export function RunningTransfers() {
  const t = text().transfers;
  const { rows, ready } = useTasks(runningTasks);
  const running = rows.filter((row) => phaseOf(row) === "running");
  return (
    <section class="card">
      <div class="head">
        <h2>{t.title}</h2>
        <a href={href("transfers")}>{t.all}</a>
      </div>
      {!ready && <Skeleton lines={3} />}
      {ready && running.length === 0 && (
        <EmptyState icon="transfers" title={t.none}>
          {t.noneNext}
        </EmptyState>
      )}
      <ul class="running">
        {running.slice(0, most).map((row) => (
          <Running key={row.taskId} row={row} />
        ))}
      </ul>
      {running.length > most && <p class="muted small">{t.more(number(running.length - most))}</p>}
    </section>
  );
}

function Running({ row }: { row: TaskRow }) {
  const t = text().transfers;
  const tasks = taskText();
  return (
    <li>
      <Icon name={row.type === 0 ? "arrowUp" : "arrowDown"} />
      <div class="grow">
        <div class="row">
          <span class="grow ellipsis" title={row.name}>
            <span class="hidden">{row.type === 0 ? tasks.upload : tasks.download}: </span>
            {row.name || row.hash}
          </span>
          <span class="number">{percent(row.progress)}</span>
        </div>
        <Progress value={row.progress} label={tasks.progress(row.name || row.hash)} />
        <div class="row muted small">
          <span class="grow">{common().platforms[row.shareIndex]}</span>
          {row.speed > 0 && <span class="number">{rate(row.speed)}</span>}
          {row.remaining > 0 && <span class="number">{t.left(duration(row.remaining))}</span>}
        </div>
      </div>
    </li>
  );
}
