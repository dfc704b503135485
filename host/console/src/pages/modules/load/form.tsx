/** What to do with the files, and how. */
import { Checkbox, Field, Segmented } from "../../../ui/field";
import { ShareSlider } from "../share";
import { text } from "../text";
import { actions, type Plan, type Problems } from "./plan";

interface ActionFormProps {
  plan: Plan;
  onChange: (plan: Plan) => void;
  problems: Problems;
  /** One file only: it may be a shadow or a canary. */
  single: boolean;
  /** The methods of the live version. */
  methods: readonly string[];
}

export function ActionForm({ plan, onChange, problems, single, methods }: ActionFormProps) {
  const t = text().loading;
  const { action } = plan;
  const possible = single ? actions : actions.filter((one) => one === "check" || one === "swap");
  const change = (part: Partial<Plan>) => onChange({ ...plan, ...part });
  return (
    <div class="stack tight">
      <div>
        <span class="label">{t.what}</span>
        <div>
          <Segmented
            label={t.what}
            value={action}
            onChange={(next) => change({ action: next })}
            options={possible.map((value) => ({ value, text: t.actions[value] }))}
          />
        </div>
      </div>
      <p class="muted small">
        {t.explain[action]} {!single && t.onlyOne}
      </p>
      {action === "shadow" && (
        <ShareSlider
          label={t.shadowShare}
          value={plan.shadowShare}
          onChange={(shadowShare) => change({ shadowShare })}
        />
      )}
      {action === "canary" && (
        <>
          <ShareSlider
            label={t.canaryShare}
            value={plan.canaryShare}
            onChange={(canaryShare) => change({ canaryShare })}
          />
          <MethodChoice plan={plan} change={change} methods={methods} error={problems["methods"]} />
        </>
      )}
      {(action === "swap" || action === "canary") && <Limits plan={plan} change={change} problems={problems} />}
    </div>
  );
}

type Change = (part: Partial<Plan>) => void;

interface MethodChoiceProps {
  plan: Plan;
  change: Change;
  methods: readonly string[];
  error: string | undefined;
}

function MethodChoice({ plan, change, methods, error }: MethodChoiceProps) {
  const t = text().loading;
  const chosen = plan.methods;
  if (methods.length === 0) return null;
  return (
    <fieldset class="methods-choice">
      <legend class="label">{t.methods}</legend>
      <Segmented
        label={t.methods}
        value={chosen === null ? "all" : "some"}
        onChange={(which) => change({ methods: which === "all" ? null : [] })}
        options={[
          { value: "all", text: t.allMethods },
          { value: "some", text: t.someMethods },
        ]}
      />
      {chosen && (
        <div class="checks">
          {methods.map((method) => (
            <Checkbox
              key={method}
              checked={chosen.includes(method)}
              onChange={(on) =>
                change({ methods: on ? [...chosen, method] : chosen.filter((other) => other !== method) })
              }
            >
              <span class="mono">{method}</span>
            </Checkbox>
          ))}
        </div>
      )}
      {error && (
        <p class="error-text" role="alert">
          {error}
        </p>
      )}
    </fieldset>
  );
}

function Limits({ plan, change, problems }: { plan: Plan; change: Change; problems: Problems }) {
  const t = text().loading;
  const field = (name: "probation" | "maxFaults" | "maxErrors", hint?: string) => (
    <Field label={t[name]} hint={hint} error={problems[name]}>
      {(control) => (
        <input
          {...control}
          inputMode="decimal"
          value={plan[name]}
          onInput={(event) => change({ [name]: event.currentTarget.value })}
        />
      )}
    </Field>
  );
  const wrong = ["probation", "maxFaults", "maxErrors"].some((name) => problems[name]);
  return (
    // What is wrong must be seen.
    <details open={wrong || undefined}>
      <summary>{t.thresholds}</summary>
      <div class="limits">
        {plan.action === "swap" && field("probation", t.probationHint)}
        {field("maxFaults")}
        {field("maxErrors")}
      </div>
    </details>
  );
}
