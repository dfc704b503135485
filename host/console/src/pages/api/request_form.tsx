/**
 * The request of a method: a form and its JSON. The JSON is what is sent, as it is written. The form
 * shows it and changes it.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { info } from "../../connection";
import { Button } from "../../ui/button";
import { Segmented } from "../../ui/field";
import { Notice } from "../../ui/states";
import { addressOf } from "./address";
import { type Made, send } from "./calls";
import { curl } from "./curl";
import type { Operation } from "./description";
import { Fields, FormField } from "./form_field";
import { format, parse } from "./json";
import { JsonView } from "./json_view";
import { text } from "./text";
import { isObject, startValue } from "./value";

/** What is written into the request. */
export interface Draft {
  json: string;
  parameters: Readonly<Record<string, string>>;
}

export function emptyDraft(operation: Operation): Draft {
  const { body } = operation;
  return { json: body.type === "json" ? JSON.stringify(startValue(body.field), null, 2) : "", parameters: {} };
}

export interface RequestFormProps {
  operation: Operation;
  draft: Draft;
  onDraft: (draft: Draft) => void;
  onMade: (made: Made) => void;
}

export function RequestForm({ operation, draft, onDraft, onMade }: RequestFormProps) {
  const t = text();
  const { body } = operation;
  const [mode, setMode] = useState<"form" | "json">("form");
  const [file, setFile] = useState<File>();
  const [abort, setAbort] = useState<AbortController>();
  const running = useRef<AbortController>(null);
  // A call that nobody waits for any more is stopped.
  useEffect(() => () => running.current?.abort(), []);

  const parsed = body.type === "json" ? parse(draft.json) : { value: {} };
  const wrong = "error" in parsed ? t.notJson(parsed.error) : undefined;
  const { path, headers } = addressOf(operation, draft.parameters);
  const type = body.type === "json" ? "application/json" : body.type === "bytes" ? concrete(body.mediaType) : undefined;
  const sent = type === undefined ? headers : { ...headers, "content-type": type };
  const missing = operation.parameters.some((one) => one.place === "path" && !draft.parameters[`path ${one.name}`]);
  const ready = !wrong && !missing && body.type !== "form" && (body.type !== "bytes" || file !== undefined);

  const submit = async () => {
    if (!ready || abort) return;
    const now = new AbortController();
    running.current = now;
    setAbort(now);
    const content = body.type === "json" ? draft.json : body.type === "bytes" ? file : undefined;
    const { parameters } = draft;
    const made = await send(operation, { url: path, headers: sent, body: content, parameters }, now.signal);
    setAbort(undefined);
    if (!now.signal.aborted) onMade(made);
  };

  return (
    <form
      class="request"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
      onKeyDown={(event) => {
        if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
        event.preventDefault();
        void submit();
      }}
    >
      <div class="row wrap">
        <h3 class="grow">{t.request}</h3>
        {body.type === "json" && (
          <>
            <Button small kind="quiet" onClick={() => onDraft(emptyDraft(operation))}>
              {t.reset}
            </Button>
            <Segmented
              label={t.request}
              value={mode}
              options={[
                { value: "form", text: t.form },
                { value: "json", text: t.json },
              ]}
              onChange={setMode}
            />
          </>
        )}
      </div>
      <ParameterFields operation={operation} draft={draft} onDraft={onDraft} />
      {body.type === "json" && mode === "form" && (
        <BodyFields operation={operation} parsed={parsed} wrong={wrong} draft={draft} onDraft={onDraft} />
      )}
      {body.type === "json" && mode === "json" && <JsonEditor draft={draft} wrong={wrong} onDraft={onDraft} />}
      {body.type === "bytes" && (
        <label class="field">
          <span class="label">{t.file}</span>
          <input type="file" class="input" onChange={(event) => setFile(event.currentTarget.files?.[0])} />
          {!file && <span class="hint">{t.fileMissing}</span>}
        </label>
      )}
      {body.type === "form" && <Notice>{t.otherForm(body.mediaType)}</Notice>}
      <div class="row wrap">
        {abort ? (
          <Button icon="close" onClick={() => abort.abort()}>
            {t.stop}
          </Button>
        ) : (
          <Button kind="primary" type="submit" icon="play" disabled={!ready}>
            {t.send}
          </Button>
        )}
        <kbd>{t.sendKeys}</kbd>
        <span class="muted small" role="status">
          {abort ? t.sending : t.real}
        </span>
      </div>
      <details class="docs-part">
        <summary>{t.curl}</summary>
        <JsonView
          label={t.curl}
          text={curl({
            method: operation.method,
            url: location.origin + path,
            headers: sent,
            body: body.type === "json" ? draft.json : undefined,
            file: body.type === "bytes" ? (file?.name ?? "FILE") : undefined,
            token: info.value?.tokenRequired === true,
          })}
        />
        {info.value?.tokenRequired && <p class="muted small">{t.curlToken}</p>}
      </details>
    </form>
  );
}

/** A range of media types is none that can be sent. */
function concrete(mediaType: string): string {
  return mediaType.includes("*") ? "application/octet-stream" : mediaType;
}

type PartProps = Pick<RequestFormProps, "operation" | "draft" | "onDraft">;

/** The parameters of the path, the query and the headers. They are texts on the wire. */
function ParameterFields({ operation, draft, onDraft }: PartProps) {
  const { parameters } = draft;
  const written = (name: string, place: string) => parameters[`${place} ${name}`];
  return (
    <>
      {operation.parameters.map(({ name, place, required, field }) => (
        <FormField
          key={`${place} ${name}`}
          name={name}
          required={required}
          field={field}
          value={field.kind === "json" || field.kind === "object" ? read(written(name, place)) : written(name, place)}
          onChange={(value) => {
            const next = value === undefined || value === null ? "" : textOf(value);
            onDraft({ ...draft, parameters: { ...parameters, [`${place} ${name}`]: next } });
          }}
        />
      ))}
    </>
  );
}

/** The value of a parameter that is written as JSON. */
function read(json: string | undefined): unknown {
  if (!json) return undefined;
  const parsed = parse(json);
  return "value" in parsed ? parsed.value : json;
}

function textOf(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

type BodyProps = PartProps & { parsed: ReturnType<typeof parse>; wrong: string | undefined };

function BodyFields({ operation, parsed, wrong, draft, onDraft }: BodyProps) {
  const t = text();
  if (operation.body.type !== "json") return null;
  const { field } = operation.body;
  const value = "value" in parsed ? parsed.value : undefined;
  if (field.kind !== "object") {
    const change = (next: unknown) => onDraft({ ...draft, json: JSON.stringify(next ?? null, null, 2) });
    return <FormField name={t.json} required field={field} value={value} onChange={change} />;
  }
  if (!isObject(value)) {
    return (
      <Notice tone="warn">
        {wrong ?? t.notObject} {t.formNeedsObject}
      </Notice>
    );
  }
  if (field.fields.length === 0) return <p class="muted">{t.noParameters}</p>;
  const change = (next: object) => onDraft({ ...draft, json: JSON.stringify(next, null, 2) });
  return <Fields fields={field.fields} value={value} onChange={change} />;
}

function JsonEditor({ draft, wrong, onDraft }: Omit<PartProps, "operation"> & { wrong: string | undefined }) {
  const t = text();
  const lines = draft.json.split("\n").length;
  return (
    <div class="field">
      <textarea
        class="input mono"
        aria-label={t.json}
        aria-invalid={wrong !== undefined}
        aria-describedby="json-wrong"
        spellcheck={false}
        rows={Math.min(24, Math.max(6, lines + 1))}
        value={draft.json}
        onInput={(event) => onDraft({ ...draft, json: event.currentTarget.value })}
      />
      <div class="row">
        <div class="error grow" id="json-wrong" role="alert">
          {wrong}
        </div>
        <Button small disabled={wrong !== undefined} onClick={() => onDraft({ ...draft, json: format(draft.json) })}>
          {t.format}
        </Button>
      </div>
    </div>
  );
}
