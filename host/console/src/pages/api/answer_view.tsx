/** What the server answered, or why there is no answer. */
import { bytes, number } from "../../format";
import { Badge, Notice } from "../../ui/states";
import { type Made, mostShown } from "./calls";
import { format } from "./json";
import { JsonView } from "./json_view";
import { text } from "./text";

export function AnswerView({ made }: { made: Made }) {
  const t = text();
  const { answer } = made;
  return (
    <section class="answer" aria-label={t.answer}>
      <div class="row wrap" aria-live="polite">
        <h3>{t.answer}</h3>
        {answer ? (
          <>
            <Badge tone={answer.status < 400 ? "good" : "bad"}>
              {t.status} {answer.status}
            </Badge>
            {answer.code !== undefined && (
              <Badge tone={answer.code === 200 ? "good" : "warn"}>{t.businessCode(answer.code)}</Badge>
            )}
            <span class="muted small number">
              {number(made.ms, made.ms < 10 ? 1 : 0)} ms · {bytes(answer.size)}
            </span>
          </>
        ) : (
          <Badge tone="bad">{t.noAnswer}</Badge>
        )}
      </div>
      {made.error && <Notice tone="bad">{made.error}</Notice>}
      {answer &&
        (answer.text === undefined ? (
          <p class="muted">{answer.size === 0 ? t.emptyBody : t.bytes(bytes(answer.size))}</p>
        ) : (
          <JsonView text={answer.cut ? answer.text : format(answer.text)} label={t.answer} />
        ))}
      {answer?.cut && <p class="muted small">{t.cut(number(mostShown))}</p>}
      {made.body !== undefined && (
        <details class="docs-part">
          <summary>{t.sent}</summary>
          <JsonView text={format(made.body)} label={t.sent} />
        </details>
      )}
      {answer && (
        <details class="docs-part">
          <summary>{t.headers}</summary>
          <pre class="headers">{answer.headers.map(([name, value]) => `${name}: ${value}`).join("\n")}</pre>
        </details>
      )}
    </section>
  );
}
