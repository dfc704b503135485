/** What was live when, and the way back. */
import { useState } from "preact/hooks";
import type { HistoryEntry, Modules } from "../../admin";
import { dateTime, number } from "../../format";
import { useQuery } from "../../query";
import { Button } from "../../ui/button";
import { Badge, Loaded } from "../../ui/states";
import { ChangeList, rollBack } from "./actions";
import * as calls from "./calls";
import { changes } from "./changes";
import { text } from "./text";

const page = 20;
/** The server keeps as many. */
const most = 1000;

export interface HistoryProps {
  now: Modules;
  reload: () => void;
  /** Only entries in which this module changed. */
  module?: string;
}

export function History({ now, reload, module }: HistoryProps) {
  const t = text().history;
  const [limit, setLimit] = useState(page);
  // One entry more tells what the oldest one changed. The generation says when there are new ones.
  const query = useQuery((signal) => calls.history(Math.min(limit + 1, most), signal), [limit, now.generation]);
  const [kept, setKept] = useState<HistoryEntry[]>();
  if (query.data && query.data.history !== kept) setKept(query.data.history);
  // What is loaded stays while a longer list is on its way.
  const shown = kept === undefined ? query : { ...query, data: { history: kept } };
  return (
    <Loaded query={shown} lines={6}>
      {({ history }) => {
        const all = history
          .map((entry, at) => ({ entry, before: history.slice(at + 1).find((older) => !isTrial(older)) }))
          .slice(0, limit)
          .filter(({ entry, before }) => !module || touches(module, entry, before));
        return (
          <div class="stack">
            {all.length === 0 && <p class="muted">{t.none}</p>}
            {all.length > 0 && (
              <ol class="card entries" aria-label={t.label}>
                {all.map(({ entry, before }) => (
                  <Entry key={entry.generation} entry={entry} before={before} now={now} reload={reload} />
                ))}
              </ol>
            )}
            {history.length > limit && limit < most && (
              <div>
                <Button onClick={() => setLimit(Math.min(most, limit * 5))}>{t.more}</Button>
              </div>
            )}
          </div>
        );
      }}
    </Loaded>
  );
}

/** Whether it is the end of a version that was only tried. It was never live, so nothing goes back to it. */
function isTrial({ action }: HistoryEntry): boolean {
  return action === "abort";
}

function touches(module: string, entry: HistoryEntry, before: HistoryEntry | undefined): boolean {
  return changes(before?.modules ?? [], entry.modules).some(({ name }) => name === module);
}

interface EntryProps {
  entry: HistoryEntry;
  before: HistoryEntry | undefined;
  now: Modules;
  reload: () => void;
}

function Entry({ entry, before, now, reload }: EntryProps) {
  const t = text();
  const h = t.history;
  const { generation, action, by, at, reason, modules } = entry;
  const live = generation === now.generation;
  const found = before && changes(before.modules, modules);
  return (
    <li class="entry">
      <div class="number generation">{number(generation)}</div>
      <div class="grow">
        <div class="row wrap">
          <strong>{h.actions[action] ?? action}</strong>
          {live && <Badge tone="good">{h.now}</Badge>}
          <span class="muted small">
            {dateTime(at)} · {h.by(t.by[by] ?? by)}
          </span>
        </div>
        {reason && <p class="small reason">{reason}</p>}
        {!found && <p class="muted small">{h.first(modules.length)}</p>}
        {found && found.length === 0 && <p class="muted small">{h.unchanged}</p>}
        {found && found.length > 0 && <ChangeList found={found} />}
      </div>
      {!live && !isTrial(entry) && (
        <Button
          small
          icon="history"
          aria-label={`${h.back}: ${t.generation(number(generation))}`}
          onClick={() => void rollBack(entry, now, reload)}
        >
          {h.back}
        </Button>
      )}
    </li>
  );
}
