/** Loading what a component shows, again and again if it changes. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { comebacks, online } from "./connection";

export interface Query<T> {
  /** The latest answer. It stays while a new one is loaded, and if loading fails. */
  data: T | undefined;
  /** Why the latest attempt failed. */
  error: Error | undefined;
  loading: boolean;
  reload: () => void;
}

export interface QueryOptions {
  /** Loads again after this many milliseconds, while the tab is seen. */
  every?: number;
}

/**
 * Loads, and loads again when one of `deps` changes or the server is back. A load that is overtaken
 * is aborted. What belongs to other `deps` is never shown.
 */
export function useQuery<T>(
  load: (signal: AbortSignal) => Promise<T>,
  deps: readonly unknown[],
  { every }: QueryOptions = {},
): Query<T> {
  const [state, setState] = useState<{ key: string; data?: T; error?: Error; loading: boolean }>({
    key: "",
    loading: true,
  });
  const [turn, setTurn] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  const key = JSON.stringify(deps);
  const back = comebacks.value;

  // `turn` and `back` ask for a new load.
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const again = () => {
      if (document.hidden) document.addEventListener("visibilitychange", run, { once: true });
      else run();
    };
    const run = () => {
      latest.current(abort.signal).then(
        (data) => {
          if (abort.signal.aborted) return;
          setState({ key, data, loading: false });
          if (every) timer = setTimeout(again, every);
        },
        (error: unknown) => {
          if (abort.signal.aborted) return;
          const why = error instanceof Error ? error : new Error(String(error));
          setState((old) => ({ ...(old.key === key && old), key, error: why, loading: false }));
          // Without the server, its return loads again.
          if (every && online.peek()) timer = setTimeout(again, every);
        },
      );
    };
    setState((old) => ({ ...(old.key === key && old), key, loading: true }));
    run();
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", run);
    };
  }, [key, every, turn, back]);

  const reload = useCallback(() => setTurn((n) => n + 1), []);
  const own = state.key === key;
  return {
    data: own ? state.data : undefined,
    error: own ? state.error : undefined,
    loading: own ? state.loading : true,
    reload,
  };
}
