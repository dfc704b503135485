/**
 * A table of a long list. Only the rows that are seen exist, so 100,000 rows scroll smoothly.
 *
 * Up, down, Home, End, Page Up and Page Down move, Enter opens, Space selects, with Shift a range,
 * Ctrl+A all, Esc none. Tab goes through the buttons of the row.
 */
import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { common } from "../i18n";
import { Icon } from "./icon";
import { useMedia } from "./media";
import type { Selection } from "./selection";
import { useVirtual } from "./virtual";

export interface Column<T> {
  id: string;
  title: string;
  /** Its width as a track of a CSS grid: `minmax(12rem, 1fr)`, `7rem`. */
  track: string;
  align?: "end";
  cell: (row: T) => ComponentChildren;
  /** The title is for screen readers only: the column speaks for itself. */
  untitled?: boolean;
  /** Whether a click on the title sorts. */
  sortable?: boolean;
}

export interface Sort {
  column: string;
  down: boolean;
}

export interface GridProps<T> {
  label: string;
  /** Keep the array the same between renders (`useMemo`): then only rows that change are rendered. */
  columns: readonly Column<T>[];
  count: number;
  /** The row, or undefined while it is loaded. A row that changes is another object. */
  row: (index: number) => T | undefined;
  rowKey: (row: T) => string;
  /** The name of a row, for screen readers. */
  rowName: (row: T) => string;
  /** The row in a narrow window, instead of the columns. */
  card?: (row: T) => ComponentChildren;
  /** In pixels. */
  rowHeight?: number;
  cardHeight?: number;
  /** Called with the first and the last row of the view. */
  onRange?: (first: number, last: number) => void;
  onOpen?: (row: T, index: number) => void;
  /** Called when the keyboard or the mouse is on another row, or when that row is loaded. */
  onActive?: (row: T | undefined) => void;
  selection?: Selection;
  /** Selects the rows from one index to another. Without it, those of them that are loaded. */
  onSelectRange?: (from: number, to: number) => void;
  /** A class for a row, for example of one that is about to go. */
  rowClass?: (row: T) => string | undefined;
  sort?: Sort;
  onSort?: (sort: Sort) => void;
  /** Takes the rest of the height of the page. */
  fill?: boolean;
  /** What is shown without rows. */
  empty?: ComponentChildren;
}

/** Below this width a row is a card. */
export const narrowWidth = 720;

export function Grid<T>(props: GridProps<T>) {
  const { label, columns, count, card, selection, fill, empty, onRange } = props;
  const narrow = useMedia(`(max-width: ${narrowWidth}px)`) && card !== undefined;
  const scroller = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const anchor = useRef(0);
  const wantsFocus = useRef(false);
  const live = useRef(props);
  live.current = props;
  const height = narrow ? (props.cardHeight ?? 76) : (props.rowHeight ?? 44);
  const here = Math.min(active, Math.max(0, count - 1));
  const virtual = useVirtual({ count, size: height, keep: here, scroller });
  const { first, last } = virtual;

  useEffect(() => {
    if (count > 0) onRange?.(first, last);
  }, [onRange, first, last, count]);

  const { onActive } = props;
  const activeRow = count > 0 ? props.row(here) : undefined;
  // Before the next key arrives.
  useLayoutEffect(() => onActive?.(activeRow), [onActive, activeRow]);

  useLayoutEffect(() => {
    if (!wantsFocus.current) return;
    const row = scroller.current?.querySelector<HTMLElement>(`[data-index="${here}"]`);
    if (!row) return;
    wantsFocus.current = false;
    row.focus({ preventScroll: true });
  });

  const activate = useCallback((index: number, extend: boolean) => {
    setActive(index);
    if (!extend) anchor.current = index;
    else if (live.current.selection) selectRange(live.current, anchor.current, index);
  }, []);

  const move = (to: number, extend: boolean) => {
    const index = Math.min(count - 1, Math.max(0, to));
    wantsFocus.current = true;
    setActive(index);
    virtual.scrollTo(index);
    if (extend && selection) selectRange(props, anchor.current, index);
    else anchor.current = index;
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if ((event.target as HTMLElement).matches("input:not([type=checkbox]), select, textarea")) return;
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? height) / height) - 1);
    const steps: Record<string, number> = {
      ArrowDown: here + 1,
      ArrowUp: here - 1,
      PageDown: here + page,
      PageUp: here - page,
      Home: 0,
      End: count - 1,
    };
    const to = steps[event.key];
    const row = props.row(here);
    const onRow = (event.target as HTMLElement).role === "row";
    if (to !== undefined) move(to, event.shiftKey);
    else if (event.key === "Enter" && onRow && row && props.onOpen) props.onOpen(row, here);
    else if (event.key === " " && onRow && row && selection) selection.toggle(props.rowKey(row));
    else if (event.key === "a" && (event.ctrlKey || event.metaKey) && selection) selectRange(props, 0, count - 1);
    else if (event.key === "Escape" && selection && selection.keys.size > 0) selection.clear();
    else return;
    event.preventDefault();
  };

  const check = selection ? "28px " : "";
  const tracks = `${check}${narrow ? "minmax(0, 1fr)" : columns.map((c) => c.track).join(" ")}`;
  const wide = narrow ? 1 : columns.length;
  return (
    <div
      class={`grid${fill ? " fill" : ""}`}
      role="grid"
      aria-label={label}
      aria-rowcount={count + 1}
      aria-colcount={wide + (selection ? 1 : 0)}
      aria-multiselectable={selection ? true : undefined}
    >
      <Header {...props} narrow={narrow} tracks={tracks} />
      {count === 0 && empty && <EmptyRow columns={wide}>{empty}</EmptyRow>}
      <div
        ref={scroller}
        class="grid-scroll"
        role="rowgroup"
        hidden={count === 0 && empty !== undefined}
        onKeyDown={onKeyDown}
      >
        <div class="grid-body" role="presentation" style={{ height: `${virtual.total}px` }}>
          {virtual.items.map((item) => {
            const row = props.row(item.index);
            return (
              <Row
                key={item.key}
                live={live}
                row={row}
                selected={row !== undefined && (selection?.keys.has(props.rowKey(row)) ?? false)}
                look={(row !== undefined && props.rowClass?.(row)) || ""}
                index={item.index}
                start={item.start}
                height={height}
                tracks={tracks}
                narrow={narrow}
                active={item.index === here}
                onActivate={activate}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

/** Selects the rows from one to the other. */
function selectRange<T>({ row, rowKey, selection, onSelectRange }: GridProps<T>, from: number, to: number) {
  const [first, last] = [Math.min(from, to), Math.max(from, to)];
  if (onSelectRange) return onSelectRange(first, last);
  const keys: string[] = [];
  for (let index = first; index <= last; index++) {
    const found = row(index);
    if (found !== undefined) keys.push(rowKey(found));
  }
  selection?.replace(keys);
}

type HeaderProps<T> = GridProps<T> & { narrow: boolean; tracks: string };

function Header<T>(props: HeaderProps<T>) {
  const { columns, selection, sort, onSort, count, narrow, tracks, label } = props;
  const t = common().states;
  const all = selection !== undefined && count > 0 && selection.keys.size >= count;
  // In a narrow window the titles say nothing, but the check box is of use.
  const hidden = narrow && !selection ? " hidden" : "";
  return (
    <div role="rowgroup">
      <div class={`grid-row grid-header${hidden}`} role="row" aria-rowindex={1} style={{ gridTemplateColumns: tracks }}>
        {selection && (
          <div role="columnheader">
            <input
              type="checkbox"
              aria-label={t.selectAll}
              checked={all}
              disabled={count === 0}
              onChange={() => (all ? selection.clear() : selectRange(props, 0, count - 1))}
            />
          </div>
        )}
        {narrow && <div role="columnheader">{label}</div>}
        {!narrow &&
          columns.map((column) => {
            const sorted = sort?.column === column.id;
            const direction = sort?.down ? "descending" : "ascending";
            return (
              <div
                key={column.id}
                role="columnheader"
                class={`ellipsis ${column.align ?? ""}`}
                aria-sort={sorted ? direction : undefined}
              >
                {column.sortable && onSort ? (
                  <button
                    type="button"
                    onClick={() => onSort({ column: column.id, down: sorted ? !sort.down : false })}
                  >
                    {column.title}
                    {sorted && <Icon name={sort.down ? "arrowDown" : "arrowUp"} />}
                  </button>
                ) : (
                  <span class={column.untitled ? "hidden" : undefined}>{column.title}</span>
                )}
              </div>
            );
          })}
      </div>
    </div>
  );
}

interface RowProps<T> {
  /** The grid as it is now, for what happens later. */
  live: { readonly current: GridProps<T> };
  row: T | undefined;
  selected: boolean;
  /** A class of its own. */
  look: string;
  index: number;
  start: number;
  height: number;
  tracks: string;
  narrow: boolean;
  active: boolean;
  onActivate: (index: number, extend: boolean) => void;
}

function Row<T>(props: RowProps<T>) {
  const { live, row, index, start, height, tracks, narrow, active, selected, look, onActivate } = props;
  const { columns, card, selection } = live.current;
  const element = useRef<HTMLDivElement>(null);
  const selectable = selection !== undefined;

  const cells = () => {
    if (row === undefined) {
      const places = narrow ? columns.slice(0, 1) : columns;
      return places.map((column) => (
        <div key={column.id} role="gridcell">
          <span class="skeleton" />
        </div>
      ));
    }
    if (narrow && card) return <div role="gridcell">{card(row)}</div>;
    return columns.map((column) => (
      <div key={column.id} role="gridcell" class={column.align}>
        {column.cell(row)}
      </div>
    ));
  };

  // While the list scrolls, rows that stay as they are cost nothing: the same element is not
  // compared again.
  const content = useMemo(
    () => (
      // biome-ignore lint/a11y/useKeyWithClickEvents: the grid has the keys.
      <div
        ref={element}
        class={`grid-row ${look}`}
        role="row"
        aria-rowindex={index + 2}
        aria-selected={selectable ? selected : undefined}
        aria-busy={row === undefined ? true : undefined}
        data-index={index}
        tabIndex={active ? 0 : -1}
        style={{
          height: `${height}px`,
          transform: `translateY(${start}px)`,
          gridTemplateColumns: tracks,
        }}
        onClick={(event) => onActivate(index, event.shiftKey)}
        onFocusIn={() => !active && onActivate(index, false)}
        onDblClick={() => row !== undefined && live.current.onOpen?.(row, index)}
      >
        {selectable && (
          <div role="gridcell">
            {row !== undefined && (
              <input
                type="checkbox"
                aria-label={`${common().states.selectRow}: ${live.current.rowName(row)}`}
                checked={selected}
                onChange={() => live.current.selection?.toggle(live.current.rowKey(row))}
              />
            )}
          </div>
        )}
        {cells()}
      </div>
    ),
    [row, index, start, height, tracks, narrow, active, selected, look, selectable, columns, narrow && card],
  );

  // The list is one stop of the Tab key, and the buttons of the active row are the next ones.
  useLayoutEffect(() => {
    const inner = element.current?.querySelectorAll<HTMLElement>("a, button, input, select");
    for (const control of inner ?? []) control.tabIndex = active ? 0 : -1;
  }, [content, active]);

  return content;
}

function EmptyRow({ columns, children }: { columns: number; children: ComponentChildren }) {
  return (
    <div role="rowgroup">
      <div role="row">
        <div role="gridcell" aria-colspan={columns}>
          {children}
        </div>
      </div>
    </div>
  );
}
