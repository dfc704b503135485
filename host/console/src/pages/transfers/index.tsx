/** All transfers, live. */
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { TaskRow } from "stowage-client";
import { go, href, route } from "../../router";
import { change, markSeen, type SimpleAction } from "../../tasks/change";
import { allTasks, useTasks } from "../../tasks/feed";
import { phaseOf } from "../../tasks/phase";
import { text as taskText } from "../../tasks/text";
import { Button } from "../../ui/button";
import { ask } from "../../ui/dialog";
import { Grid, type Sort } from "../../ui/grid";
import { useSelection } from "../../ui/selection";
import { EmptyState, Notice, Skeleton } from "../../ui/states";
import { announce, toast, toastError } from "../../ui/toast";
import { Card, columnsOf } from "./columns";
import { type Asked, TaskDialogs } from "./dialogs";
import { countsOf, type Filter, filterOf, groupOf, queryOf, sorted, totalsOf, withoutGroup } from "./filter";
import { SelectionBar } from "./selection_bar";
import { text } from "./text";
import { Toolbar } from "./toolbar";
import "./transfers.css";

export default function TransfersPage() {
  const t = text();
  const tasks = useTasks(allTasks);
  const selection = useSelection();
  const [sort, setSort] = useState<Sort>({ column: "time", down: true });
  const [asked, setAsked] = useState<Asked | null>(null);
  const filter = filterOf(route.value.query);
  const setFilter = (next: Filter) => go("transfers", [], queryOf(next), true);

  const { group, type, platform, keyword } = filter;
  const matching = useMemo(() => withoutGroup(tasks.rows, filter), [tasks.rows, type, platform, keyword]);
  const shown = useMemo(() => {
    const inGroup = group === "all" ? matching : matching.filter((row) => groupOf(row) === group);
    return sorted(inGroup, sort);
  }, [matching, group, sort]);
  const selected = shown.filter((row) => selection.keys.has(row.taskId));

  useSeen(tasks.rows);

  const act = (action: SimpleAction, rows: readonly TaskRow[]) => {
    void perform(action, rows).then((done) => {
      if (done && action === "remove") selection.clear();
    }, toastError);
  };
  // What `act` uses stays the same, so the first one is as good as the latest.
  const columns = useMemo(() => columnsOf({ act, ask: setAsked }), [t]);
  const card = useCallback((row: TaskRow) => <Card row={row} act={act} ask={setAsked} />, [t]);

  return (
    <div class="page fill transfers">
      <Toolbar
        filter={filter}
        onFilter={setFilter}
        counts={countsOf(matching)}
        totals={totalsOf(tasks.rows)}
        finished={matching.filter((row) => phaseOf(row) === "done")}
        act={act}
      >
        {selected.length > 0 && (
          <SelectionBar rows={selected} act={act} ask={setAsked} onClear={() => selection.clear()} />
        )}
      </Toolbar>
      {tasks.error !== undefined && (
        <Notice tone="bad">
          {t.closed} {tasks.error instanceof Error && tasks.error.message}
        </Notice>
      )}
      {tasks.ready || tasks.error !== undefined ? (
        <Grid
          fill
          label={t.list}
          columns={columns}
          count={shown.length}
          row={(index) => shown[index]}
          rowKey={(row) => row.taskId}
          rowName={(row) => row.name}
          rowHeight={52}
          card={card}
          cardHeight={92}
          selection={selection}
          sort={sort}
          onSort={setSort}
          onOpen={(row) => setAsked({ what: "details", rows: [row] })}
          empty={<Nothing filtered={tasks.rows.length > 0} />}
        />
      ) : (
        <div class="card">
          <Skeleton lines={6} />
        </div>
      )}
      <TaskDialogs asked={asked} rows={tasks.rows} onClose={() => setAsked(null)} />
    </div>
  );
}

/** Marks the failed ones as seen, each one once. */
function useSeen(rows: readonly TaskRow[]) {
  const told = useRef(new Set<number>());
  useEffect(() => {
    if (document.hidden) return;
    const unseen = rows.filter((row) => row.view === 0 && groupOf(row) === "failed" && !told.current.has(row.id));
    if (unseen.length === 0) return;
    for (const row of unseen) told.current.add(row.id);
    // The warning stays if this fails. That is all that happens.
    markSeen(unseen).catch(() => {});
  }, [rows]);
}

function Nothing({ filtered }: { filtered: boolean }) {
  const t = text().empty;
  if (filtered) {
    return (
      <EmptyState
        icon="search"
        title={t.filtered}
        action={<Button onClick={() => go("transfers", [], {}, true)}>{t.reset}</Button>}
      >
        {t.filteredBody}
      </EmptyState>
    );
  }
  return (
    <EmptyState
      icon="transfers"
      title={t.title}
      action={
        <a class="button" href={href("files")}>
          {t.files}
        </a>
      }
    >
      {t.body}
    </EmptyState>
  );
}

/** Does it, and says what was done. Returns false if the person thought better of it. */
async function perform(action: SimpleAction, rows: readonly TaskRow[]): Promise<boolean> {
  const t = text();
  // A finished file stays. What was transferred of another one would be lost.
  if (action === "remove" && rows.some((row) => phaseOf(row) !== "done")) {
    const yes = await ask({
      title: t.remove.title(rows.length),
      body: t.remove.body,
      action: taskText().actions.remove,
      danger: true,
    });
    if (!yes) return false;
  }
  const count = await change(action, rows);
  if (count === 0) {
    toast(t.done.none);
    return false;
  }
  // What was transferred is kept, so a cancelled transfer goes on where it was.
  const undo = () => void change("retry", rows.map(cancelled)).catch(toastError);
  const done = t.done[action](count);
  // A single row shows by itself what was done.
  if (action === "cancel") toast(done, { undo });
  else if (count === 1) announce(done);
  else toast(done);
  return true;
}

/** A task as it is after it was cancelled. */
function cancelled(row: TaskRow): TaskRow {
  return { ...row, status: row.type === 0 ? 3 : 5, code: 499 };
}
