/** One method: what it does, its request and the answers. */
import { useState } from "preact/hooks";
import { clock, number, shortHash } from "../../format";
import { go, href } from "../../router";
import { Icon } from "../../ui/icon";
import { Badge } from "../../ui/states";
import { AnswerView } from "./answer_view";
import { calls, type Made } from "./calls";
import type { Operation } from "./description";
import { Documentation } from "./documentation";
import { type Draft, emptyDraft, RequestForm } from "./request_form";
import { text } from "./text";

/** What was written for each method, so that it is there again when the person comes back. */
const drafts = new Map<string, Draft>();

export function OperationView({ operation }: { operation: Operation }) {
  const t = text();
  const { id, method, path, module, version } = operation;
  const [draft, setDraft] = useState(() => drafts.get(id) ?? emptyDraft(operation));
  const [made, setMade] = useState<Made | undefined>(() => calls.peek().find((one) => one.operation === id));
  const change = (next: Draft) => {
    drafts.set(id, next);
    setDraft(next);
  };
  return (
    <article class="operation">
      <a class="back" href={href("api")}>
        <Icon name="arrowLeft" />
        {t.back}
      </a>
      <header>
        <h2>
          <span class="method">{method}</span> <code>{path}</code>
        </h2>
        <p class="muted small" title={version}>
          {module ? t.servedBy(module, shortHash(version)) : t.server}
        </p>
      </header>
      <Documentation
        operation={operation}
        onUse={(example) => change({ ...draft, json: JSON.stringify(example, null, 2) })}
      />
      <RequestForm operation={operation} draft={draft} onDraft={change} onMade={setMade} />
      {made && <AnswerView key={made.id} made={made} />}
      <History
        onTake={(one) => {
          if (one.operation !== id) {
            drafts.set(one.operation, { json: one.body ?? "", parameters: one.parameters });
            go("api", [one.operation]);
          } else {
            change({ json: one.body ?? draft.json, parameters: one.parameters });
            setMade(one);
          }
        }}
      />
    </article>
  );
}

function History({ onTake }: { onTake: (made: Made) => void }) {
  const t = text();
  if (calls.value.length === 0) return null;
  return (
    <details class="docs-part">
      <summary>{t.history}</summary>
      <ul class="history">
        {calls.value.map((one) => (
          <li key={one.id}>
            <button type="button" title={t.again} onClick={() => onTake(one)}>
              <time class="muted number">{clock(one.at)}</time>
              <code class="grow ellipsis">{one.url}</code>
              <Badge tone={one.answer && one.answer.status < 400 && (one.answer.code ?? 200) === 200 ? "good" : "bad"}>
                {one.answer ? (one.answer.code ?? one.answer.status) : t.noAnswer}
              </Badge>
              <span class="muted number">{number(one.ms)} ms</span>
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}
