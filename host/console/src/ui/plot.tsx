/** Lines over time, by uPlot. The newest value is at the right edge. */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { clock, minute } from "../format";
import { language } from "../i18n";
import { dark } from "../theme";

export interface Series {
  label: string;
  /** A colour as in CSS: `var(--accent)`. */
  color: string;
  /** As many as there are times. Null where nothing was measured. */
  values: readonly (number | null)[];
  fill?: boolean;
  /** Bars instead of a line: for what is mostly zero. */
  bars?: boolean;
}

export interface PlotProps {
  /** What the plot shows, with its latest values, for those who do not see it. */
  label: string;
  /** Seconds since 1970, in ascending order. */
  times: readonly number[];
  series: readonly Series[];
  format: (value: number) => string;
  /** A logarithmic scale: for values of different magnitudes. Zero cannot be shown. */
  log?: boolean;
  /** In pixels. */
  height?: number;
}

export function Plot({ label, times, series, format, log = false, height = 150 }: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const data = [times, ...series.map((one) => one.values)] as uPlot.AlignedData;
  const latest = useRef({ data, format });
  latest.current = { data, format };
  const look = [dark.value, language.value, height, ...series.map((one) => one.label)].join();

  // `look` says when it must be made anew.
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const made = new uPlot(
      options(element, { series, log, height, format: (value) => latest.current.format(value) }),
      latest.current.data,
      element,
    );
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
    };
  }, [look]);

  useEffect(() => plot.current?.setData(data));

  return <div ref={box} class="plot" role="img" aria-label={label} />;
}

type Look = Required<Pick<PlotProps, "series" | "log" | "height" | "format">>;

function options(box: HTMLElement, { series, log, height, format }: Look): uPlot.Options {
  const paint = painter(box);
  const [text, line] = [paint("var(--text-2)"), paint("var(--line)")];
  const font = `11px ${getComputedStyle(box).fontFamily}`;
  const axis = { stroke: text, font, ticks: { show: false } };
  return {
    width: box.clientWidth,
    height,
    padding: [6, 2, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    plugins: [readings(series, format)],
    scales: {
      y: log
        ? { distr: 3, range: (_, least, most) => uPlot.rangeLog(least || 1, most || 10, 10, true) }
        : { range: (_, __, most) => [0, Math.max(most * 1.1, 1)] },
    },
    axes: [
      {
        ...axis,
        size: 24,
        gap: 4,
        grid: { show: false },
        space: 60,
        incrs: [60, 120, 300, 600, 3600],
        values: (_, times) => times.map((at) => minute(at * 1000)),
      },
      {
        ...axis,
        size: 54,
        space: log ? 20 : 36,
        grid: { stroke: line, width: 1 },
        ...(log && { splits: (_: uPlot, __: number, least: number, most: number) => decades(least, most) }),
        values: (_, values) => values.map((value) => (value === null ? "" : format(value))),
      },
    ],
    series: [{}, ...series.map((one) => strokeOf(one, paint))],
  };
}

/** The powers of ten from one value to another. */
function decades(least: number, most: number): number[] {
  const first = Math.round(Math.log10(least));
  const last = Math.round(Math.log10(most));
  return Array.from({ length: last - first + 1 }, (_, n) => 10 ** (first + n));
}

/** The readings without a neighbour. No line goes through them, so each is a point. */
function lonely(plot: uPlot, series: number): number[] {
  const values = plot.data[series] ?? [];
  const isThere = (at: number) => values[at] !== null && values[at] !== undefined;
  return Array.from(values.keys()).filter((at) => isThere(at) && !isThere(at - 1) && !isThere(at + 1));
}

function strokeOf(one: Series, paint: (color: string) => string): uPlot.Series {
  const color = paint(one.color);
  const faint = color.replace("rgb(", "rgba(").replace(")", ", 0.13)");
  const made: uPlot.Series = {
    label: one.label,
    stroke: color,
    width: 1.75,
    points: { show: false, size: 5, filter: lonely },
  };
  if (one.fill) made.fill = faint;
  if (one.bars && uPlot.paths.bars) {
    made.paths = uPlot.paths.bars({ size: [1, 4] });
    made.fill = color;
    made.width = 0;
  }
  return made;
}

/** Resolves a colour of CSS, because a canvas knows no variables. */
function painter(box: HTMLElement): (color: string) => string {
  return (color) => {
    const probe = document.createElement("i");
    probe.style.color = color;
    box.append(probe);
    const resolved = getComputedStyle(probe).color;
    probe.remove();
    return resolved;
  };
}

/** A box beside the pointer with the values under it. */
function readings(series: readonly Series[], format: (value: number) => string): uPlot.Plugin {
  const box = document.createElement("div");
  box.className = "plot-readings";
  box.hidden = true;
  return {
    hooks: {
      init: (plot) => plot.over.append(box),
      setCursor: (plot) => {
        const { idx, left } = plot.cursor;
        box.hidden = idx === null || idx === undefined || (left ?? -1) < 0;
        if (box.hidden || idx === null || idx === undefined) return;
        const lines = series.map((one, n) => {
          const value = plot.data[n + 1]?.[idx];
          return `${one.label} ${value === null || value === undefined ? "–" : format(value)}`;
        });
        box.textContent = [clock((plot.data[0][idx] ?? 0) * 1000), ...lines].join("\n");
        const right = (left ?? 0) > plot.over.clientWidth / 2;
        box.style.left = right ? "" : `${(left ?? 0) + 12}px`;
        box.style.right = right ? `${plot.over.clientWidth - (left ?? 0) + 12}px` : "";
      },
    },
  };
}
