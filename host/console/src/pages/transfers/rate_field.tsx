/** A speed as a number and a unit. Empty means no limit. */
import { useState } from "preact/hooks";
import { Field, Select } from "../../ui/field";
import { text } from "./text";
import { parseRate, splitRate } from "./written";

const units = [
  { value: 1024, text: "KB/s" },
  { value: 1024 ** 2, text: "MB/s" },
];

export interface RateFieldProps {
  label: string;
  hint?: string;
  /** Bytes a second at first; 0 means no limit. */
  initial: number;
  /** Called with null while the text is no number. */
  onChange: (value: number | null) => void;
}

export function RateField({ label, hint, initial, onChange }: RateFieldProps) {
  const t = text().server;
  const [now, setNow] = useState(() => splitRate(initial));
  const set = (next: typeof now) => {
    setNow(next);
    onChange(parseRate(next.amount, next.unit));
  };
  const wrong = parseRate(now.amount, now.unit) === null;
  return (
    <Field label={label} hint={hint} error={wrong ? t.wrongRate : undefined}>
      {(control) => (
        <div class="row">
          <input
            {...control}
            inputMode="decimal"
            autocomplete="off"
            placeholder={t.none}
            value={now.amount}
            onInput={(event) => set({ ...now, amount: event.currentTarget.value })}
          />
          <Select
            label={`${t.unit}: ${label}`}
            value={now.unit}
            options={units}
            onChange={(unit) => set({ ...now, unit })}
          />
        </div>
      )}
    </Field>
  );
}
