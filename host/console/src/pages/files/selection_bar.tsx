/** What can be done with the selected rows. It takes the place of the filters. */
import { common } from "../../i18n";
import { Button, IconButton } from "../../ui/button";
import { copyTo, download } from "./actions";
import { type Entry, hasBytes } from "./entry";
import { canCopy, canMove } from "./items";
import type { Section } from "./section";
import { text } from "./text";

/** The browser asks before a page starts many downloads. More at once are a mistake. */
const mostDownloads = 20;

export interface SelectionBarProps {
  section: Section;
  entries: readonly Entry[];
  onMove: (entries: readonly Entry[]) => void;
  onRemove: (entries: readonly Entry[]) => void;
  onClear: () => void;
}

export function SelectionBar({ section, entries, onMove, onRemove, onClear }: SelectionBarProps) {
  const t = text().actions;
  const files = entries.every((entry) => hasBytes(entry) && !entry.locked);
  return (
    <>
      <IconButton icon="close" label={t.clear} onClick={onClear} />
      <span class="number" aria-live="polite">
        {common().states.selected(entries.length)}
      </span>
      <span class="grow" />
      {files && entries.length <= mostDownloads && (
        <Button icon="download" onClick={() => download(entries)}>
          {t.download}
        </Button>
      )}
      {canCopy(section, entries) && (
        <>
          <Button icon="cloud" onClick={() => void copyTo(entries, "storage")}>
            {t.toStorage}
          </Button>
          <Button icon="star" onClick={() => void copyTo(entries, "favorites")}>
            {t.toFavorites}
          </Button>
        </>
      )}
      {canMove(section, entries) && (
        <Button icon="move" onClick={() => onMove(entries)}>
          {t.move}
        </Button>
      )}
      <Button icon="trash" onClick={() => onRemove(entries)}>
        {t.delete}
      </Button>
    </>
  );
}
