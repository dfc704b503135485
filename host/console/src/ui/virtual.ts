/** Which rows of a long list are seen: @tanstack/virtual-core as a hook. */
import {
  defaultRangeExtractor,
  elementScroll,
  observeElementOffset,
  observeElementRect,
  type VirtualItem,
  Virtualizer,
} from "@tanstack/virtual-core";
import type { RefObject } from "preact";
import { useLayoutEffect, useMemo, useState } from "preact/hooks";

export interface VirtualOptions {
  count: number;
  /** The height of each row, in pixels. */
  size: number;
  /** A row that stays even if it is not seen, so that it keeps the focus. */
  keep: number;
  scroller: RefObject<HTMLElement | null>;
}

export interface Virtual {
  items: VirtualItem[];
  /** The first and the last row of the view, without the one that is kept. */
  first: number;
  last: number;
  /** The height of all rows, in pixels. */
  total: number;
  scrollTo: (index: number) => void;
}

export function useVirtual({ count, size, keep, scroller }: VirtualOptions): Virtual {
  const [, render] = useState(0);
  const options = {
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => size,
    overscan: 8,
    rangeExtractor: (range: Parameters<typeof defaultRangeExtractor>[0]) => {
      const seen = defaultRangeExtractor(range);
      if (keep >= count || seen.includes(keep)) return seen;
      return [...seen, keep].sort((a, b) => a - b);
    },
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    onChange: () => render((n) => n + 1),
  };
  // Made once, then only its options change.
  const virtualizer = useMemo(() => new Virtualizer<HTMLElement, HTMLElement>(options), []);
  virtualizer.setOptions(options);
  useLayoutEffect(() => virtualizer._didMount(), [virtualizer]);
  useLayoutEffect(() => virtualizer._willUpdate());
  // Another size makes all places wrong.
  useLayoutEffect(() => virtualizer.measure(), [virtualizer, size]);
  const items = virtualizer.getVirtualItems();
  const { startIndex = 0, endIndex = 0 } = virtualizer.range ?? {};
  return {
    items,
    first: startIndex,
    last: endIndex,
    total: virtualizer.getTotalSize(),
    scrollTo: (index) => virtualizer.scrollToIndex(index, { align: "auto" }),
  };
}
