/** The log of a module. It follows, unless somebody reads further up. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { LogLine } from "../../admin";
import { comebacks, online } from "../../connection";
import { clock, dateTime, number, shortHash } from "../../format";
import { Button } from "../../ui/button";
import { Segmented } from "../../ui/field";
import { EmptyState, Notice, Skeleton } from "../../ui/states";
import * as calls from "./calls";
import { text } from "./text";

/** Lines that the page keeps; the server keeps as many. */
const most = 1000;
/** Between two questions for new lines, in milliseconds. */
const every = 1000;

const ranks = { error: 0, warn: 1, info: 2, debug: 3, trace: 4 } as const;
type Least = "error" | "warn" | "info";

interface Lines {
  all: readonly LogLine[];
  dropped: number;
  loaded: boolean;
  error?: Error;
}

const none: Lines = { all: [], dropped: 0, loaded: false };

/** New lines of the module's log, as long as `paused` is false. */
function useLog(name: string, paused: boolean): Lines {
  const [lines, setLines] = useState<Lines>(none);
  const after = useRef(0);
  const back = comebacks.value;
  // A server that starts again counts its lines anew.
  useEffect(() => {
    after.current = 0;
    setLines(none);
  }, [name, back]);
  useEffect(() => {
    if (paused) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const load = async () => {
      let more = false;
      try {
        const answer = document.hidden ? undefined : await calls.log(name, after.current, abort.signal);
        if (abort.signal.aborted) return;
        if (answer) {
          after.current = answer.next;
          more = answer.lines.length > 0;
          setLines((old) => ({
            all: [...old.all, ...answer.lines].slice(-most),
            dropped: answer.dropped,
            loaded: true,
          }));
        }
      } catch (error) {
        if (abort.signal.aborted) return;
        setLines((old) => ({ ...old, loaded: true, error: error as Error }));
        // Its return begins anew.
        if (!online.peek()) return;
      }
      timer = setTimeout(load, more ? 0 : every);
    };
    void load();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [name, paused, back]);
  return lines;
}

export function ModuleLog({ name }: { name: string }) {
  const t = text().log;
  const [least, setLeast] = useState<Least>("info");
  const [paused, setPaused] = useState(false);
  const [atEnd, setAtEnd] = useState(true);
  const { all, dropped, loaded, error } = useLog(name, paused);
  const box = useRef<HTMLDivElement>(null);
  // "All" has what the server keeps, whatever its level.
  const shown = least === "info" ? all : all.filter((line) => ranks[line.level] <= ranks[least]);

  useLayoutEffect(() => {
    const element = box.current;
    if (element && atEnd) element.scrollTop = element.scrollHeight;
  }, [shown.length, atEnd]);

  const toEnd = () => setAtEnd(true);
  return (
    <section class="card log-card">
      <div class="row wrap">
        <Segmented
          label={t.level}
          value={least}
          onChange={setLeast}
          options={(["info", "warn", "error"] as const).map((value) => ({ value, text: t.levels[value] }))}
        />
        <span class="muted small grow" role="status">
          {paused ? t.paused : t.following}
        </span>
        <Button small icon={paused ? "play" : "pause"} onClick={() => setPaused(!paused)}>
          {paused ? t.follow : t.pause}
        </Button>
      </div>
      {error && <Notice tone="bad">{error.message}</Notice>}
      {!loaded && <Skeleton lines={4} />}
      {loaded && all.length === 0 && !error && (
        <EmptyState icon="text" title={t.empty}>
          {t.emptyBody}
        </EmptyState>
      )}
      {all.length > 0 && (
        <div class="log-frame">
          <div
            ref={box}
            class="log-lines"
            role="log"
            aria-live="off"
            aria-label={`${t.label}: ${name}`}
            // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it.
            tabIndex={0}
            onScroll={(event) => {
              const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
              setAtEnd(scrollHeight - scrollTop - clientHeight < 8);
            }}
          >
            {dropped > 0 && <p class="muted small">{t.dropped(number(dropped))}</p>}
            {shown.length === 0 && <p class="muted small">{t.none}</p>}
            {shown.map((line) => (
              <Line key={line.n} line={line} />
            ))}
          </div>
          {!atEnd && (
            <Button small icon="arrowDown" onClick={toEnd}>
              {t.toEnd}
            </Button>
          )}
        </div>
      )}
    </section>
  );
}

function Line({ line: { at, level, version, message, fields } }: { line: LogLine }) {
  return (
    <div class="log-line" data-level={level}>
      <time dateTime={new Date(at).toISOString()} title={dateTime(at)}>
        {clock(at)}
      </time>
      <span class="level">{level}</span>
      {version && (
        <span class="muted" title={version}>
          {shortHash(version)}
        </span>
      )}
      <span class="message">
        {message}
        {Object.entries(fields).map(([key, value]) => (
          <span key={key} class="muted log-field">
            {" "}
            {key}={String(value)}
          </span>
        ))}
      </span>
    </div>
  );
}
