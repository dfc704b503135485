/** What is in a row: its facts, its message, and its bytes if they can be shown. */
import type { ComponentChildren } from "preact";
import { dateTime, duration } from "../../format";
import { Button, IconButton } from "../../ui/button";
import { CopyButton } from "../../ui/copy";
import { Icon } from "../../ui/icon";
import { Content } from "./content";
import { type Entry, hasBytes } from "./entry";
import { kindIcons } from "./kind";
import { text } from "./text";

export interface PreviewProps {
  entry: Entry;
  onDownload: (entry: Entry, password?: string) => void;
}

export function Preview({ entry, onDownload }: PreviewProps) {
  return (
    <div class="preview-body">
      {entry.message.text !== undefined && <p class="message">{entry.message.text}</p>}
      {hasBytes(entry) && <Content key={`${entry.platform} ${entry.hash}`} entry={entry} onDownload={onDownload} />}
      {hasBytes(entry) && !entry.locked && (
        <div class="row">
          <Button icon="download" onClick={() => onDownload(entry)}>
            {text().actions.download}
          </Button>
        </div>
      )}
      <Facts entry={entry} />
      {entry.message.source !== "" && entry.message.source !== entry.message.text && (
        <details class="source">
          <summary>{text().preview.source}</summary>
          <pre>{entry.message.source}</pre>
        </details>
      )}
    </div>
  );
}

function Facts({ entry }: { entry: Entry }) {
  const t = text().preview;
  const { size, sender, hash, message, chat } = entry;
  const { width, height, seconds } = message;
  const facts: [string, ComponentChildren][] = [[t.kind, text().kinds[entry.kind]]];
  if (chat !== undefined && text().chats[chat]) facts.push(["", text().chats[chat]]);
  if (size) facts.push([t.size, size]);
  if (width && height) facts.push(["", t.pixels(width, height)]);
  if (seconds !== undefined) facts.push(["", t.seconds(duration(seconds))]);
  facts.push([t.time, dateTime(entry.time)]);
  if (sender) facts.push([t.sender, sender]);
  if (hash) {
    facts.push([
      t.hash,
      <span class="hash">
        <code>{hash}</code>
        <CopyButton text={hash} />
      </span>,
    ]);
  }
  return (
    <dl class="facts">
      {facts.map(([name, value], at) => (
        <div key={`${name}${at}`}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** The pane beside the list of a wide window. It follows the row that is active. */
export function PreviewPane(props: { entry: Entry | undefined; onClose: () => void } & Omit<PreviewProps, "entry">) {
  const { entry, onClose, onDownload } = props;
  const t = text();
  return (
    <aside class="preview" aria-label={t.preview.title}>
      <div class="head">
        <h2 class="ellipsis" title={entry?.name}>
          {entry ? entry.name : t.preview.title}
        </h2>
        <IconButton small icon="close" label={t.actions.hidePreview} onClick={onClose} />
      </div>
      {entry ? (
        entry.folder ? (
          <div class="preview-body">
            <div class="big-icon">
              <Icon name={kindIcons.folder} />
            </div>
            <Facts entry={entry} />
          </div>
        ) : (
          <Preview entry={entry} onDownload={onDownload} />
        )
      ) : (
        <p class="muted preview-body">{t.preview.choose}</p>
      )}
    </aside>
  );
}
