/** Fields of forms: a label, the control, a hint and what is wrong. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { common } from "../i18n";
import { Icon } from "./icon";

/** The attributes that tie a control to its label and texts. */
export interface Control {
  id: string;
  class: string;
  "aria-describedby"?: string;
  "aria-invalid"?: boolean;
}

export interface FieldProps {
  label: string;
  hint?: ComponentChildren;
  error?: string | undefined;
  /** Makes the control: `{(control) => <input {...control} />}`. */
  children: (control: Control) => ComponentChildren;
}

export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  const control: Control = { id, class: "input" };
  if (described) control["aria-describedby"] = described;
  if (error) control["aria-invalid"] = true;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(control)}
      {hint && (
        <div class="hint" id={`${id}-hint`}>
          {hint}
        </div>
      )}
      {error && (
        <div class="error" id={`${id}-error`} role="alert">
          {error}
        </div>
      )}
    </div>
  );
}

export interface PasswordFieldProps extends Omit<FieldProps, "children"> {
  value: string;
  onInput: (text: string) => void;
  /** Whether it is chosen here, and not asked for. */
  chosen?: boolean;
}

/** The password of a file. */
export function PasswordField({ value, onInput, chosen = false, ...field }: PasswordFieldProps) {
  return (
    <Field {...field}>
      {(control) => (
        <input
          {...control}
          type="password"
          autocomplete={chosen ? "new-password" : "off"}
          value={value}
          onInput={(event) => onInput(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

export interface SearchProps {
  value: string;
  onInput: (text: string) => void;
  label?: string;
}

export function Search({ value, onInput, label = common().actions.search }: SearchProps) {
  return (
    <div class="search">
      <Icon name="search" />
      <input
        type="search"
        class="input"
        placeholder={label}
        aria-label={label}
        value={value}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </div>
  );
}

export interface Option<T> {
  value: T;
  text: string;
}

export interface ChoiceProps<T> {
  label: string;
  value: T;
  options: readonly Option<T>[];
  onChange: (value: T) => void;
}

/** One of a few, all seen at once. */
export function Segmented<T extends string | number>(props: ChoiceProps<T>) {
  const { label, value, options, onChange } = props;
  const name = useId();
  return (
    <div class="segmented" role="radiogroup" aria-label={label}>
      {options.map((option) => (
        <label key={option.value}>
          <input type="radio" name={name} checked={option.value === value} onChange={() => onChange(option.value)} />
          {option.text}
        </label>
      ))}
    </div>
  );
}

/** One of several, in a list that opens. */
export function Select<T extends string | number>(props: ChoiceProps<T>) {
  const { label, value, options, onChange } = props;
  return (
    <select
      class="input"
      aria-label={label}
      value={String(value)}
      onChange={(event) => {
        const found = options[event.currentTarget.selectedIndex];
        if (found) onChange(found.value);
      }}
    >
      {options.map((option) => (
        <option key={option.value} value={String(option.value)}>
          {option.text}
        </option>
      ))}
    </select>
  );
}

export interface CheckboxProps {
  checked: boolean;
  onChange: (checked: boolean) => void;
  children: ComponentChildren;
}

export function Checkbox({ checked, onChange, children }: CheckboxProps) {
  return (
    <label class="check">
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.currentTarget.checked)} />
      {children}
    </label>
  );
}
