/** All methods in groups, with a search. */
import { useEffect, useRef, useState } from "preact/hooks";
import { href } from "../../router";
import { IconButton } from "../../ui/button";
import { Search } from "../../ui/field";
import { type Description, search } from "./description";
import { text } from "./text";

export interface MethodListProps {
  description: Description;
  current: string | undefined;
  onReload: () => void;
}

export function MethodList({ description, current, onReload }: MethodListProps) {
  const t = text();
  const [words, setWords] = useState("");
  const list = useRef<HTMLDivElement>(null);
  // A link from elsewhere may be to a method far down.
  useEffect(() => {
    list.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }, [current]);
  const groups = search(description, words);
  const count = groups.reduce((sum, group) => sum + group.operations.length, 0);
  return (
    <nav class="methods" aria-label={t.methods}>
      <div class="methods-head">
        <Search value={words} label={t.search} onInput={setWords} />
        <IconButton icon="retry" label={t.reload} onClick={onReload} />
      </div>
      <p class="muted small" aria-live="polite">
        {count > 0 ? t.count(count) : t.noneFound}
      </p>
      <div class="methods-list" ref={list}>
        {groups.map(({ tag, operations }) => (
          <section key={tag}>
            <h2>{tag}</h2>
            <ul>
              {operations.map(({ id, method, path }) => (
                <li key={id}>
                  <a href={href("api", [id])} aria-current={id === current ? "page" : undefined} title={path}>
                    {method !== "POST" && <span class="method">{method}</span>}
                    <span class="ellipsis">{path.replace(/^\//, "")}</span>
                  </a>
                </li>
              ))}
            </ul>
          </section>
        ))}
      </div>
    </nav>
  );
}
