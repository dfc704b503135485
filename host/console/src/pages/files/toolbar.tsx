/** The filters of a list. Which there are depends on what the API has for it. */
import { useEffect, useRef, useState } from "preact/hooks";
import { IconButton } from "../../ui/button";
import { Search, Select } from "../../ui/field";
import type { Filter, FilterName } from "./section";
import { text } from "./text";

/** A search begins when nobody typed for this long, in milliseconds. */
const typingPause = 250;

export interface ToolbarProps {
  filter: Filter;
  names: readonly FilterName[];
  /** Whether the search goes through all folders. */
  everywhere: boolean;
  onChange: (change: Partial<Filter>) => void;
}

export function Toolbar({ filter, names, everywhere, onChange }: ToolbarProps) {
  const t = text().filter;
  const has = (name: FilterName) => names.includes(name);
  const isSet =
    (has("keyword") && filter.keyword !== "") ||
    (has("type") && filter.type !== 0) ||
    (has("time") && (filter.from !== undefined || filter.to !== undefined));
  return (
    <>
      {has("keyword") && (
        <Keyword
          value={filter.keyword}
          label={everywhere ? t.searchAll : t.search}
          onChange={(keyword) => onChange({ keyword })}
        />
      )}
      {has("type") && (
        <Select
          label={t.type}
          value={filter.type}
          options={text().types.map((name, value) => ({ value, text: name }))}
          onChange={(type) => onChange({ type })}
        />
      )}
      {has("time") && (
        <fieldset class="dates">
          <legend class="hidden">{t.dates}</legend>
          <Day label={t.from} value={filter.from} onChange={(from) => onChange({ from })} />
          <span aria-hidden="true">–</span>
          <Day label={t.to} end value={filter.to} onChange={(to) => onChange({ to })} />
        </fieldset>
      )}
      {isSet && (
        <IconButton
          icon="close"
          label={t.reset}
          onClick={() => onChange({ keyword: "", type: 0, from: undefined, to: undefined })}
        />
      )}
    </>
  );
}

function Keyword(props: { value: string; label: string; onChange: (text: string) => void }) {
  const { value, label, onChange } = props;
  const [typed, setTyped] = useState(value);
  useEffect(() => setTyped(value), [value]);
  // The other filters may change while somebody types.
  const latest = useRef(onChange);
  latest.current = onChange;
  useEffect(() => {
    if (typed === value) return;
    const timer = setTimeout(() => latest.current(typed), typingPause);
    return () => clearTimeout(timer);
  }, [typed]);
  return <Search value={typed} label={label} onInput={setTyped} />;
}

interface DayProps {
  label: string;
  value: number | undefined;
  /** The last moment of the day, not the first. */
  end?: boolean;
  onChange: (ms: number | undefined) => void;
}

function Day({ label, value, end, onChange }: DayProps) {
  return (
    <input
      type="date"
      class="input"
      aria-label={label}
      title={label}
      value={value === undefined ? "" : dayOf(value)}
      onChange={(event) => onChange(momentOf(event.currentTarget.value, end))}
    />
  );
}

/** A day as a date field writes it, in the time zone of the browser. */
export function dayOf(ms: number): string {
  const day = new Date(ms);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${String(day.getFullYear()).padStart(4, "0")}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}

/** The first or the last millisecond of a day. Undefined for an empty field. */
export function momentOf(day: string, end = false): number | undefined {
  const [year, month, date] = day.split("-").map(Number);
  if (!year || !month || !date) return undefined;
  // The next day's first moment also holds where a day has 23 or 25 hours.
  return end ? new Date(year, month - 1, date + 1).getTime() - 1 : new Date(year, month - 1, date).getTime();
}
