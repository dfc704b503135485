/** A slider for a share of the calls, with its number. */
import { useId } from "preact/hooks";
import { percent } from "../../format";

export interface ShareSliderProps {
  label: string;
  /** Above 0, at most 100. */
  value: number;
  onChange: (value: number) => void;
}

/** Small shares are the ones that matter, so half of the way is 10 %. */
const stops = [0.1, 0.2, 0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90, 95, 100];

export function ShareSlider({ label, value, onChange }: ShareSliderProps) {
  const id = useId();
  const at = stops.findIndex((stop) => stop >= value);
  return (
    <div class="share">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="range"
        min={0}
        max={stops.length - 1}
        step={1}
        value={at < 0 ? stops.length - 1 : at}
        aria-valuetext={percent(value, 1)}
        onInput={(event) => onChange(stops[event.currentTarget.valueAsNumber] ?? 100)}
      />
      <output for={id} class="number">
        {percent(value, 1)}
      </output>
    </div>
  );
}
