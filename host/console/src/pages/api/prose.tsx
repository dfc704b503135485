/** The words of an interface: paragraphs, `code` and tables, as Markdown writes them. */
import type { ComponentChildren } from "preact";

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

/** A line with its `code`. */
export function inline(line: string): ComponentChildren[] {
  return line
    .split(/(`[^`]+`)/)
    .map((part) => (part.length > 2 && part.startsWith("`") ? <code key={part}>{part.slice(1, -1)}</code> : part));
}
