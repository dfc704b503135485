/** Chooses the folder that entries are moved to. */
import { useState } from "preact/hooks";
import { common } from "../../i18n";
import { useQuery } from "../../query";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Icon } from "../../ui/icon";
import { Loaded } from "../../ui/states";
import { toastError } from "../../ui/toast";
import type { Entry } from "./entry";
import type { Path, Section } from "./section";
import { text } from "./text";

export interface MoveProps {
  section: Section;
  entries: readonly Entry[];
  onClose: () => void;
  /** `name` is that of the folder. */
  onMove: (path: Path, name: string) => Promise<unknown>;
}

export function MoveDialog({ section, entries, onClose, onMove }: MoveProps) {
  const t = text().moving;
  const [way, setWay] = useState<readonly Entry[]>([]);
  const [busy, setBusy] = useState(false);
  const path = way.map((folder) => folder.key);
  const moving = new Set(entries.map((entry) => entry.key));
  const query = useQuery((signal) => section.move?.folders(path, signal) ?? Promise.resolve([]), [path]);
  const here = way.at(-1);
  const flat = section.move?.top === false;
  const move = (to: Path, name: string) => {
    setBusy(true);
    onMove(to, name).then(onClose, (error) => {
      setBusy(false);
      toastError(error);
    });
  };
  return (
    <Dialog
      title={t.title(entries.length)}
      open
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{common().actions.cancel}</Button>
          {!flat && (
            <Button kind="primary" disabled={busy} onClick={() => move(path, here?.name ?? t.top)}>
              {t.here}
            </Button>
          )}
        </>
      }
    >
      {!flat && (
        <nav class="crumbs" aria-label={text().path}>
          <button type="button" onClick={() => setWay([])}>
            {t.top}
          </button>
          {way.map((folder, at) => (
            <button key={folder.key} type="button" onClick={() => setWay(way.slice(0, at + 1))}>
              {folder.name}
            </button>
          ))}
        </nav>
      )}
      <Loaded query={query}>
        {(folders) =>
          folders.length === 0 ? (
            <p class="muted">{t.none}</p>
          ) : (
            <ul class="folder-list">
              {folders.map((folder) => (
                <li key={folder.key}>
                  <button
                    type="button"
                    disabled={busy || moving.has(folder.key)}
                    title={moving.has(folder.key) ? t.itself : undefined}
                    onClick={() => (flat ? move([folder.key], folder.name) : setWay([...way, folder]))}
                  >
                    <Icon name="folder" />
                    <span class="grow ellipsis">{folder.name}</span>
                    {!flat && <Icon name="chevronRight" />}
                  </button>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Dialog>
  );
}
