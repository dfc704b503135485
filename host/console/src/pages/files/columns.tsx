/** The columns of a list, and the card of a row in a narrow window. */
import { ago, dateTime, number } from "../../format";
import { common } from "../../i18n";
import type { Column } from "../../ui/grid";
import { Icon } from "../../ui/icon";
import { Menu, type MenuItem } from "../../ui/menu";
import type { Entry } from "./entry";
import type { SectionName } from "./section";
import { text } from "./text";
import { Thumb } from "./thumbnail";

export interface RowActions {
  open: (entry: Entry) => void;
  menu: (entry: Entry) => MenuItem[];
}

/** `roomy` says that the list has the width for all of them. */
export function columnsOf(
  section: SectionName,
  inFolder: boolean,
  roomy: boolean,
  actions: RowActions,
): Column<Entry>[] {
  const t = text().columns;
  const name: Column<Entry> = {
    id: "name",
    title: t.name,
    track: "minmax(8rem, 1fr)",
    cell: (entry) => <Name entry={entry} open={actions.open} />,
  };
  const sender: Column<Entry> = {
    id: "sender",
    title: t.sender,
    track: "minmax(3.5rem, 9rem)",
    cell: (entry) => (
      <div class="ellipsis muted" title={entry.sender}>
        {entry.sender}
      </div>
    ),
  };
  const amount: Column<Entry> = {
    id: "amount",
    title: t.amount,
    track: "6.5rem",
    align: "end",
    cell: (entry) => <span class="muted">{amountOf(entry, section)}</span>,
  };
  const size: Column<Entry> = { id: "size", title: t.size, track: "4.8rem", align: "end", cell: (entry) => entry.size };
  const time: Column<Entry> = {
    id: "time",
    title: t.time,
    track: "6.8rem",
    align: "end",
    sortable: true,
    cell: (entry) => (
      <time class="muted" title={dateTime(entry.time)} dateTime={new Date(entry.time).toISOString()}>
        {ago(entry.time)}
      </time>
    ),
  };
  const menu: Column<Entry> = {
    id: "menu",
    title: common().actions.more,
    untitled: true,
    track: "32px",
    cell: (entry) => <RowMenu {...{ entry, actions }} />,
  };
  const middle: Record<SectionName, Column<Entry>[]> = {
    favorites: inFolder ? [sender] : [],
    temp: inFolder ? [size] : [amount, size],
    backups: inFolder && roomy ? [sender, amount, size] : [amount, size],
    storage: [size],
  };
  return [name, ...middle[section], time, menu];
}

export function cardOf(section: SectionName, actions: RowActions) {
  return (entry: Entry) => (
    <div class="file-card">
      <div class="grow">
        <Name entry={entry} open={actions.open} />
        <div class="file-facts muted small ellipsis">
          {[ago(entry.time), entry.size, amountOf(entry, section), entry.sender].filter(Boolean).join(" · ")}
        </div>
      </div>
      <RowMenu entry={entry} actions={actions} />
    </div>
  );
}

function Name({ entry, open }: { entry: Entry; open: (entry: Entry) => void }) {
  return (
    <div class="file-name">
      <Thumb entry={entry} />
      <button type="button" class="name ellipsis" title={entry.name} onClick={() => open(entry)}>
        {entry.name}
      </button>
      {entry.locked && (
        <span class="muted" title={text().locked}>
          <Icon name="lock" />
          <span class="hidden">{text().locked}</span>
        </span>
      )}
    </div>
  );
}

function RowMenu({ entry, actions }: { entry: Entry; actions: RowActions }) {
  return <Menu small label={`${common().actions.more}: ${entry.name}`} items={actions.menu(entry)} />;
}

function amountOf(entry: Entry, section: SectionName): string {
  if (entry.amount === undefined) return "";
  const n = entry.amount;
  return text().amounts[section === "temp" && !entry.folder ? "storage" : section](n).replace(String(n), number(n));
}
