/** How long ago something was. It is kept right while it is shown. */
import { signal } from "@preact/signals";
import { ago, dateTime } from "../format";

/** Changes twice a minute. */
const tick = signal(0);
setInterval(() => tick.value++, 30_000);

/** `at` is in milliseconds since 1970. */
export function Ago({ at }: { at: number }) {
  tick.value;
  return (
    <time dateTime={new Date(at).toISOString()} title={dateTime(at)}>
      {ago(at)}
    </time>
  );
}
