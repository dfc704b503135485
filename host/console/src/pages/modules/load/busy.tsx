import { bytes, number } from "../../../format";
import { useNow } from "../now";
import { text } from "../text";

/** The server sends and compiles. `since` is in milliseconds since 1970. */
export function Busy({ since, size }: { since: number; size: number }) {
  const t = text().loading;
  const seconds = Math.max(0, Math.floor((useNow() - since) / 1000));
  return (
    <div class="stack tight busy">
      <div class="head">
        <strong>{t.busy(bytes(size))}</strong>
        <span class="number muted">{t.seconds(number(seconds))}</span>
      </div>
      <div class="progress moving" role="progressbar" aria-label={t.busy(bytes(size))}>
        <i />
      </div>
      <p class="muted small">{t.busyBody}</p>
    </div>
  );
}
