/** Calls in which a shadow differs, with both answers side by side. */
import { useMemo, useState } from "preact/hooks";
import type { Difference } from "../../admin";
import { Badge } from "../../ui/states";
import { folded, type Row, rows } from "./json_rows";
import { text } from "./text";

/** As many as the server keeps. */
const kept = 20;

export function Differences({ found }: { found: readonly Difference[] }) {
  const t = text().trial;
  return (
    <section class="stack">
      <div>
        <h3>{t.differences}</h3>
        {found.length >= kept && <p class="muted small">{t.firstOnly(kept)}</p>}
      </div>
      {found.map((difference, n) => (
        // The server only adds to the list.
        <OneDifference key={n} difference={difference} open={n === 0} />
      ))}
    </section>
  );
}

function OneDifference({ difference, open: first }: { difference: Difference; open: boolean }) {
  const t = text().trial;
  const [open, setOpen] = useState(first);
  const { method, params, lines } = difference;
  return (
    <details class="difference" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <span class="mono">{method}</span>
        <Badge tone="warn">{lines[0] ?? ""}</Badge>
      </summary>
      {open && (
        <div class="stack">
          <div>
            <h4>{t.parameters}</h4>
            <pre class="json">{typeof params === "string" ? params : JSON.stringify(params, null, 2)}</pre>
          </div>
          <Answers difference={difference} />
        </div>
      )}
    </details>
  );
}

function Answers({ difference: { live, shadow, lines } }: { difference: Difference }) {
  const t = text().trial;
  const all = useMemo(() => rows(live, shadow), [live, shadow]);
  const notKept = (live === null || live === undefined) && (shadow === null || shadow === undefined);
  const same = !notKept && all.every((row) => !row.differs);
  return (
    <>
      {notKept && <p class="muted">{t.notKept}</p>}
      {same && <p class="muted">{t.sameAnswer}</p>}
      {(notKept || same) && (
        <ul class="mono small lines">
          {lines.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      )}
      {!notKept && !same && <SideBySide all={all} />}
    </>
  );
}

function SideBySide({ all }: { all: readonly Row[] }) {
  const t = text().trial;
  const parts = useMemo(() => folded(all), [all]);
  const [unfolded, setUnfolded] = useState<ReadonlySet<number>>(new Set());
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it.
    <section class="side-by-side" tabIndex={0} aria-label={`${t.live} | ${t.shadowSide}`}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t.live}</th>
            <th scope="col">{t.shadowSide}</th>
          </tr>
        </thead>
        <tbody>
          {parts.map((part, n) => {
            if (!("equal" in part)) return <Line key={n} row={part} />;
            if (unfolded.has(n)) return part.equal.map((row, at) => <Line key={`${n} ${at}`} row={row} />);
            return (
              <tr key={n} class="fold">
                <td colSpan={2}>
                  <button type="button" onClick={() => setUnfolded(new Set([...unfolded, n]))}>
                    {t.equalLines(part.equal.length)}
                  </button>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

function Line({ row: { live, shadow, differs } }: { row: Row }) {
  // A mark beside the colour, for those who do not see colours.
  const cell = (line: string | undefined, mark: string) => (
    <td class={differs && line !== undefined ? "differs" : undefined} data-mark={differs && line ? mark : undefined}>
      {line}
    </td>
  );
  return (
    <tr>
      {cell(live, "−")}
      {cell(shadow, "+")}
    </tr>
  );
}
