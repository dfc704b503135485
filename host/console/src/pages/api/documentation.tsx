/** What a method does, in the words of its interface. */
import type { ComponentChildren } from "preact";
import { Button } from "../../ui/button";
import type { Operation } from "./description";
import { format } from "./json";
import { JsonView } from "./json_view";
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
          {examples.map(({ name, value }, at) => (
            <div key={name} class="example">
              <div class="row">
                <span class="grow muted small">{name || t.example(at + 1)}</span>
                <Button small onClick={() => onUse(value)}>
                  {t.useExample}
                </Button>
              </div>
              <JsonView text={format(JSON.stringify(value))} label={name || t.example(at + 1)} />
            </div>
          ))}
        </details>
      )}
    </>
  );
}

/** The Markdown that comments use: paragraphs, `code` and tables. */
export function Prose({ text }: { text: string }) {
  return (
    <div class="prose">
      {text.split(/\n\s*\n/).map((block) => {
        const lines = block.trim().split("\n");
        if (lines.length > 2 && lines.every((line) => line.startsWith("|"))) return <Table key={block} lines={lines} />;
        return <p key={block}>{inline(lines.join(" "))}</p>;
      })}
    </div>
  );
}

function Table({ lines }: { lines: string[] }) {
  const cells = (line: string) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
  const [head = "", , ...rows] = lines;
  return (
    <table class="errors">
      <thead>
        <tr>
          {cells(head).map((cell) => (
            <th key={cell} scope="col">
              {inline(cell)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row}>
            {cells(row).map((cell) => (
              <td key={cell}>{inline(cell)}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function inline(line: string): ComponentChildren[] {
  return line
    .split(/(`[^`]+`)/)
    .map((part) => (part.length > 2 && part.startsWith("`") ? <code key={part}>{part.slice(1, -1)}</code> : part));
}
