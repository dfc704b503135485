import { useRef } from "preact/hooks";
import type { Overview, Second } from "../../admin";
import { type Query, useQuery } from "../../query";
import { admin } from "../../server";
import { filled, merge } from "./timeline";

export interface Loaded extends Overview {
  /** The last five minutes without gaps. */
  timeline: Second[];
}

/** Asks each second, for what is new only. */
export function useOverview(): Query<Loaded> {
  const kept = useRef<{ started: number; seconds: Second[] }>({ started: 0, seconds: [] });
  return useQuery(
    async (signal) => {
      const since = kept.current.seconds.at(-1)?.at;
      const overview = await admin.get<Overview>("overview", { since }, signal);
      // Another process has counted nothing of what we know.
      const known = overview.started === kept.current.started ? kept.current.seconds : [];
      const seconds = merge(known, overview.seconds);
      kept.current = { started: overview.started, seconds };
      // The second that runs now is not complete.
      const timeline = filled(seconds, Math.floor(overview.now / 1000) - 1);
      return { ...overview, timeline };
    },
    [],
    { every: 1000 },
  );
}
