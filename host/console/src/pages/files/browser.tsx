/** The list of one folder, with its filters, its actions and the preview. */
import { useCallback, useMemo, useState } from "preact/hooks";
import { common } from "../../i18n";
import { useQuery } from "../../query";
import { reasonOf } from "../../reason";
import { go, href, route } from "../../router";
import { Button, IconButton } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Grid, narrowWidth } from "../../ui/grid";
import { useMedia } from "../../ui/media";
import type { MenuItem } from "../../ui/menu";
import { EmptyState, Notice } from "../../ui/states";
import { toastError } from "../../ui/toast";
import { download, move, remove, rename } from "./actions";
import { upload } from "./activity";
import { ActivityPanel } from "./activity_panel";
import { AddMenu } from "./add_menu";
import { cardOf, columnsOf } from "./columns";
import { doomed } from "./deletion";
import { NameDialog } from "./dialogs";
import { DropZone } from "./drop_zone";
import type { Entry } from "./entry";
import { filterOf, queryOf } from "./filter";
import { itemsFor } from "./items";
import { MoveDialog } from "./move_dialog";
import { Preview, PreviewPane } from "./preview";
import type { Filter, Path, Section } from "./section";
import { SelectionBar } from "./selection_bar";
import { text } from "./text";
import { Toolbar } from "./toolbar";
import { useEntrySelection, usePaged } from "./use_paged";

/** In a narrower window the preview is a dialog. */
const paneWidth = 1080;
const paneKey = "stowage.preview";
/** Rows that are drawn while the first ones are loaded. */
const expectedRows = 6;

type Form = { name: "rename"; entry: Entry } | { name: "move"; entries: readonly Entry[] };

export function Browser({ section, path }: { section: Section; path: Path }) {
  const t = text();
  const filter = filterOf(route.value.query);
  const listKey = JSON.stringify([section.name, path, filter]);
  const paged = usePaged(() => section.list(path, filter), listKey, section.platform);
  const selection = useEntrySelection(paged);
  const names = useQuery((signal) => section.names(path, signal), [section.name, path]);
  const [active, setActive] = useState<Entry>();
  const [opened, setOpened] = useState<Entry>();
  const [form, setForm] = useState<Form>();
  const wide = useMedia(`(min-width: ${paneWidth}px)`);
  // The cards of a narrow window have no titles to sort by.
  const narrow = useMedia(`(max-width: ${narrowWidth}px)`);
  const [pane, setPane] = useState(localStorage.getItem(paneKey) !== "no");

  const showPane = (shown: boolean) => {
    localStorage.setItem(paneKey, shown ? "yes" : "no");
    setPane(shown);
  };
  const change = (part: Partial<Filter>) => go("files", [section.name, ...path], queryOf({ ...filter, ...part }), true);
  const enter = (folder: Path) => go("files", [section.name, ...folder], queryOf({ down: filter.down }));
  const open = (entry: Entry) => {
    if (entry.folder) enter(section.pathOf(path, entry));
    else if (wide) {
      setActive(entry);
      showPane(true);
    } else setOpened(entry);
  };
  const reload = () => {
    void paged.reload();
    names.reload();
  };
  const removeEntries = (entries: readonly Entry[]) => {
    selection.clear();
    void remove(section, entries, paged.reload);
  };
  const items = (entry: Entry): MenuItem[] =>
    itemsFor(section, [entry], {
      open: () => open(entry),
      rename: () => setForm({ name: "rename", entry }),
      move: () => setForm({ name: "move", entries: [entry] }),
      remove: () => removeEntries([entry]),
    });
  const rowActions = { open, menu: items };
  const target = section.upload(path);
  const send = (files: readonly File[], password?: string) => {
    if (target) for (const file of files) upload(file, target, password);
  };
  const onSelectRange = useCallback(
    (from: number, to: number) => {
      paged.rows(from, to).then(selection.take, toastError);
    },
    [paged, selection],
  );
  const chosen = selection.entries.size;
  const onKeyDown = (event: KeyboardEvent) => {
    // The controls of a row belong to it, but those with texts have these keys themselves.
    const on = event.target as HTMLElement;
    if (!on.closest('[role="row"]') || on.matches("input:not([type=checkbox]), select, textarea")) return;
    const meant = chosen > 0 ? [...selection.entries.values()] : active ? [active] : [];
    if (event.key === "Delete" && meant.length > 0) removeEntries(meant);
    else if (event.key === "F2" && active && section.rename(active)) setForm({ name: "rename", entry: active });
    else if (event.key === "Backspace" && path.length > 0) enter(path.slice(0, -1));
    else return;
    event.preventDefault();
  };

  const filterNames = section.filters(path);
  const filtered = filter.keyword !== "" || filter.type !== 0 || filter.from !== undefined || filter.to !== undefined;
  const roomy = !(wide && pane);
  const isIn = path.length > 0 || filter.keyword !== "";
  // The rows of the grid are rendered again only if these change.
  const columns = useMemo(() => columnsOf(section.name, isIn, roomy, rowActions), [listKey, t, wide, pane]);
  const card = useMemo(() => cardOf(section.name, rowActions), [listKey, t, wide]);
  const shown = paged.ready || paged.count > 0;
  // Another order keeps the focus on the title that was clicked. Another filter begins at the top.
  const gridKey = JSON.stringify([section.name, path, { ...filter, down: true }]);
  const crumbs = [t.sections[section.name], ...(names.data ?? path.map((id) => (names.error ? id : "…")))];

  return (
    <DropZone place={crumbs.at(-1) ?? ""} onFiles={target ? send : undefined}>
      <div class="files-head">
        <nav class="crumbs grow" aria-label={t.path}>
          {crumbs.map((name, at) => (
            <a
              key={path[at - 1] ?? ""}
              href={href("files", [section.name, ...path.slice(0, at)], queryOf({ down: filter.down }))}
              aria-current={at === path.length ? "page" : undefined}
              title={name}
            >
              {name}
            </a>
          ))}
        </nav>
        <span class="muted small number" aria-live="polite">
          {paged.ready && t.rows(paged.count)}
        </span>
        {narrow && filterNames.includes("order") && (
          <IconButton
            icon={filter.down ? "arrowDown" : "arrowUp"}
            label={filter.down ? t.filter.newest : t.filter.oldest}
            onClick={() => change({ down: !filter.down })}
          />
        )}
        <IconButton icon="retry" label={t.reload} onClick={reload} />
        {wide && (
          <IconButton
            icon="info"
            label={pane ? t.actions.hidePreview : t.actions.showPreview}
            aria-pressed={pane}
            onClick={() => showPane(!pane)}
          />
        )}
        <AddMenu section={section} path={path} onUpload={target ? send : undefined} onChange={paged.reload} />
      </div>
      {/* The elements before the grid stay, because an element that is moved loses the focus. */}
      <div
        class={`files-tools${chosen > 0 ? " selection" : ""}`}
        role={chosen > 0 ? "toolbar" : undefined}
        aria-label={chosen > 0 ? common().states.selected(chosen) : undefined}
      >
        {chosen > 0 ? (
          <SelectionBar
            section={section}
            entries={[...selection.entries.values()]}
            onMove={(entries) => setForm({ name: "move", entries })}
            onRemove={removeEntries}
            onClear={selection.clear}
          />
        ) : (
          <Toolbar
            filter={filter}
            names={filterNames}
            everywhere={section.searchesAll && path.length === 0}
            onChange={change}
          />
        )}
      </div>
      <div class="files-error">
        {paged.error && (
          <Notice tone="bad">
            <div class="row wrap">
              <span class="grow">{reasonOf(paged.error)}</span>
              <Button small icon="retry" onClick={() => void paged.reload()}>
                {common().actions.retry}
              </Button>
            </div>
          </Notice>
        )}
      </div>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the keys come from the rows of the grid. */}
      <div class="files-body" onKeyDown={onKeyDown}>
        {(shown || !paged.error) && (
          <Grid
            key={gridKey}
            fill
            label={t.list}
            columns={columns}
            card={card}
            cardHeight={64}
            count={shown ? paged.count : expectedRows}
            row={(index) => paged.row(index)}
            rowKey={(entry) => entry.key}
            rowName={(entry) => entry.name}
            rowClass={(entry) => (doomed.value.has(entry.key) ? "doomed" : undefined)}
            onRange={paged.show}
            onOpen={open}
            onActive={setActive}
            selection={selection}
            onSelectRange={onSelectRange}
            sort={{ column: "time", down: filter.down }}
            onSort={({ down }) => change({ down })}
            empty={
              !shown ? undefined : filtered ? (
                <EmptyState icon="search" title={t.empty.nothing}>
                  {t.empty.nothingBody}
                </EmptyState>
              ) : (
                <EmptyState icon="folder" title={t.empty.none}>
                  {path.length === 0 ? t.empty.folders[section.name] : t.empty.files}
                </EmptyState>
              )
            }
          />
        )}
        {wide && pane && (shown || !paged.error) && (
          <PreviewPane
            entry={active}
            onClose={() => showPane(false)}
            onDownload={(entry, password) => download([entry], password)}
          />
        )}
      </div>
      <ActivityPanel />
      {opened && !wide && (
        <Dialog title={opened.name} open wide onClose={() => setOpened(undefined)}>
          <Preview entry={opened} onDownload={(entry, password) => download([entry], password)} />
        </Dialog>
      )}
      {form?.name === "rename" && (
        <NameDialog
          title={t.name.rename}
          action={t.actions.rename}
          value={form.entry.name}
          onName={(name) => rename(section, form.entry, name, paged.reload)}
          onClose={() => setForm(undefined)}
        />
      )}
      {form?.name === "move" && (
        <MoveDialog
          section={section}
          entries={form.entries}
          onClose={() => setForm(undefined)}
          onMove={(to, name) => {
            selection.clear();
            return move(section, form.entries, to, name, paged.reload);
          }}
        />
      )}
    </DropZone>
  );
}
