/** What a method does, in the words of its interface. */
import { Button } from "../../ui/button";
import type { Operation } from "./description";
import { format } from "./json";
import { JsonView } from "./json_view";
import { Prose } from "./prose";
import { text } from "./text";

export function Documentation({ operation, onUse }: { operation: Operation; onUse: (example: unknown) => void }) {
  const t = text();
  const { errors, examples } = operation;
  return (
    <>
      {operation.description && <Prose text={operation.description} />}
      {errors.length > 0 && (
        <details class="docs-part" open={errors.length <= 4}>
          <summary>{t.errors}</summary>
          <table class="errors">
            <thead class="hidden">
              <tr>
                <th scope="col">{t.code}</th>
                <th scope="col">{t.meaning}</th>
              </tr>
            </thead>
            <tbody>
              {errors.map(({ code, meaning }) => (
                <tr key={code}>
                  <td class="mono">{code}</td>
                  <td>{meaning}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      )}
      {examples.length > 0 && (
        <details class="docs-part">
          <summary>{t.examples}</summary>
          {examples.map(({ name, value, answer }, at) => (
            <div key={name} class="example">
              <div class="row">
                <span class="grow muted small">{name || t.example(at + 1)}</span>
                <Button small onClick={() => onUse(value)}>
                  {t.useExample}
                </Button>
              </div>
              <JsonView text={format(JSON.stringify(value))} label={name || t.example(at + 1)} />
              {answer !== undefined && <JsonView text={format(JSON.stringify(answer))} label={t.answer} />}
            </div>
          ))}
        </details>
      )}
    </>
  );
}
