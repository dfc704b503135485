/** A field of a form, made from its schema. Lists and objects have fields in them. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { Button, IconButton } from "../../ui/button";
import { Checkbox } from "../../ui/field";
import { inline } from "./prose";
import type { Field, NamedField } from "./schema";
import { text } from "./text";
import { isObject, numberOf, type Problem, problemOf, startValue, withField } from "./value";

export interface FormFieldProps {
  name: string;
  field: Field;
  required: boolean;
  /** Undefined if it is not sent. */
  value: unknown;
  onChange: (value: unknown) => void;
}

export function FormField(props: FormFieldProps) {
  const { field, value, required } = props;
  switch (field.kind) {
    case "object":
      return <ObjectField {...props} fields={field.fields} />;
    case "list":
      return <ListField {...props} item={field.item} />;
    default:
      return (
        <Labelled {...props}>
          {(id, described, invalid) => (
            <Control
              {...props}
              attributes={{ id, "aria-describedby": described, "aria-invalid": invalid || undefined }}
              value={value === null && !required ? undefined : value}
            />
          )}
        </Labelled>
      );
  }
}

interface LabelledProps extends FormFieldProps {
  children: (id: string, described: string, invalid: boolean) => ComponentChildren;
}

function Labelled({ name, field, required, value, children }: LabelledProps) {
  const id = useId();
  const problem = value === undefined && required ? text().problems.required : problemText(problemOf(field, value));
  return (
    <div class="field api-field">
      <label for={id}>
        <code>{name}</code> <span class="muted">{hintOf(field, required)}</span>
      </label>
      {children(id, `${id}-about`, problem !== undefined)}
      <div id={`${id}-about`}>
        {problem && <div class="error">{problem}</div>}
        {field.description && <div class="hint">{inline(field.description)}</div>}
      </div>
    </div>
  );
}

interface ControlAttributes {
  id: string;
  "aria-describedby": string;
  "aria-invalid": boolean | undefined;
}

type ControlProps = FormFieldProps & { attributes: ControlAttributes };

function Control({ field, value, required, onChange, attributes }: ControlProps) {
  const t = text();
  switch (field.kind) {
    case "boolean":
    case "choice": {
      const options = field.kind === "boolean" ? [true, false] : field.options;
      const at = value === undefined ? "none" : value === null ? "null" : String(options.indexOf(value as string));
      return (
        <select
          {...attributes}
          class="input"
          value={at}
          onChange={(event) => {
            const chosen = event.currentTarget.value;
            onChange(chosen === "none" ? undefined : chosen === "null" ? null : options[Number(chosen)]);
          }}
        >
          {(!required || value === undefined) && <option value="none">{t.notSent}</option>}
          {required && field.nullable && <option value="null">{t.null}</option>}
          {at === "-1" && <option value="-1">{String(value)}</option>}
          {options.map((option, index) => (
            <option key={String(option)} value={String(index)}>
              {String(option)}
            </option>
          ))}
        </select>
      );
    }
    case "integer":
    case "number":
      return (
        <input
          {...attributes}
          class="input"
          inputMode={field.kind === "integer" ? "numeric" : "decimal"}
          autocomplete="off"
          value={value === undefined || value === null ? "" : String(value)}
          placeholder={required ? "" : t.notSent}
          onInput={(event) => onChange(numberOf(event.currentTarget.value))}
        />
      );
    case "json":
      return <RawField {...{ attributes, value, onChange }} />;
    default:
      // An empty optional text counts as absent, so it is not sent at all.
      return (
        <textarea
          {...attributes}
          class="input one-line"
          rows={1}
          spellcheck={false}
          value={typeof value === "string" ? value : value === undefined || value === null ? "" : JSON.stringify(value)}
          placeholder={required ? "" : t.notSent}
          onInput={(event) => {
            const typed = event.currentTarget.value;
            onChange(typed === "" && !required ? undefined : typed);
          }}
        />
      );
  }
}

/** A value that has no form. What is no JSON is sent as a text, and the server says what it expects. */
function RawField(props: Pick<ControlProps, "attributes" | "value" | "onChange">) {
  const { attributes, value, onChange } = props;
  return (
    <textarea
      {...attributes}
      class="input mono"
      rows={3}
      spellcheck={false}
      defaultValue={value === undefined ? "" : JSON.stringify(value, null, 2)}
      onChange={(event) => {
        const typed = event.currentTarget.value;
        try {
          onChange(typed.trim() === "" ? undefined : JSON.parse(typed));
        } catch {
          onChange(typed);
        }
      }}
    />
  );
}

function ObjectField({
  name,
  field,
  fields,
  required,
  value,
  onChange,
}: FormFieldProps & { fields: readonly NamedField[] }) {
  const t = text();
  const sent = isObject(value);
  return (
    <fieldset class="api-group">
      <legend>
        <code>{name}</code> <span class="muted">{hintOf(field, required)}</span>
      </legend>
      {field.description && <p class="muted small">{inline(field.description)}</p>}
      {!required && (
        <Checkbox
          checked={sent}
          onChange={(on) => onChange(on ? startValue({ ...field, nullable: false }) : undefined)}
        >
          {t.include}
        </Checkbox>
      )}
      {sent && <Fields fields={fields} value={value} onChange={onChange} />}
      {value !== undefined && value !== null && !sent && <p class="error small">{t.problems.object}</p>}
    </fieldset>
  );
}

export interface FieldsProps {
  fields: readonly NamedField[];
  value: Record<string, unknown>;
  onChange: (value: Record<string, unknown>) => void;
}

/** The fields of an object, the required ones first. */
export function Fields({ fields, value, onChange }: FieldsProps) {
  const ordered = [...fields.filter((one) => one.required), ...fields.filter((one) => !one.required)];
  return (
    <>
      {ordered.map(({ name, required, field }) => (
        <FormField
          key={name}
          name={name}
          field={field}
          required={required}
          value={value[name]}
          onChange={(next) => onChange(withField(value, name, next))}
        />
      ))}
    </>
  );
}

function ListField({ name, field, item, required, value, onChange }: FormFieldProps & { item: Field }) {
  const t = text();
  const items = Array.isArray(value) ? (value as unknown[]) : [];
  const problem = problemText(problemOf(field, value));
  const set = (next: unknown[]) => onChange(next.length === 0 && !required ? undefined : next);
  return (
    <fieldset class="api-group">
      <legend>
        <code>{name}</code> <span class="muted">{hintOf(field, required)}</span>
      </legend>
      {field.description && <p class="muted small">{inline(field.description)}</p>}
      {items.map((one, at) => (
        <div key={at} class="row api-item">
          <div class="grow">
            <FormField
              name={t.item(name, at + 1)}
              field={item}
              required
              value={one}
              onChange={(next) => set(items.map((old, index) => (index === at ? (next ?? startValue(item)) : old)))}
            />
          </div>
          <IconButton
            small
            icon="close"
            label={t.removeItem(at + 1)}
            onClick={() => set(items.filter((_, index) => index !== at))}
          />
        </div>
      ))}
      {problem && <p class="error small">{problem}</p>}
      <div>
        <Button small icon="plus" onClick={() => set([...items, startValue(item)])}>
          {t.add}
        </Button>
      </div>
    </fieldset>
  );
}

/** `whole number, 1 to 1000, required`. */
function hintOf(field: Field, required: boolean): string {
  const t = text();
  const parts = [t.types[field.kind]];
  if (field.kind === "integer" || field.kind === "number") parts.push(rangeText(field.minimum, field.maximum));
  parts.push(required ? t.required : t.optional);
  return parts.filter(Boolean).join(", ");
}

/** A limit of the type, not of the method, says nothing to a person. */
function isTypeLimit(limit: number): boolean {
  return Math.abs(limit) >= 2 ** 53;
}

function rangeText(minimum: number | undefined, maximum: number | undefined): string {
  const t = text();
  const [least, most] = [minimum, maximum].map((limit) =>
    limit === undefined || isTypeLimit(limit) ? undefined : String(limit),
  );
  if (least !== undefined && most !== undefined) return t.range(least, most);
  if (least !== undefined) return t.atLeast(least);
  return most === undefined ? "" : t.atMost(most);
}

function problemText(problem: Problem | undefined): string | undefined {
  if (!problem) return undefined;
  const t = text().problems;
  if (problem.name === "range" || problem.name === "length") {
    return t[problem.name](rangeText(problem.minimum, problem.maximum));
  }
  return t[problem.name];
}
