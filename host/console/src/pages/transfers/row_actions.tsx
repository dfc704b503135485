/** The buttons of one transfer: the likely one, and a menu with all. */
import type { TaskRow } from "stowage-client";
import type { SimpleAction } from "../../tasks/change";
import { allows, needsPassword } from "../../tasks/phase";
import { text as taskText } from "../../tasks/text";
import { IconButton } from "../../ui/button";
import { copyText } from "../../ui/copy";
import type { IconName } from "../../ui/icon";
import { Menu, type MenuItem } from "../../ui/menu";
import { toast, toastError } from "../../ui/toast";
import type { Actions } from "./columns";
import { text } from "./text";

const icons: Record<SimpleAction, IconName> = {
  pause: "pause",
  resume: "play",
  retry: "retry",
  cancel: "close",
  remove: "trash",
};

/** The first one that the task allows has a button of its own. */
const order: readonly SimpleAction[] = ["pause", "resume", "retry", "cancel", "remove"];

export function RowActions({ row, act, ask }: Actions & { row: TaskRow }) {
  const t = text();
  const names = taskText().actions;
  const name = row.name || row.hash;
  const allowed = order.filter((action) => allows(row, action));
  const [first] = allowed;
  const path = row.folderPath || row.sourcePath;
  const items: MenuItem[] = allowed.map((action) => ({
    text: names[action],
    icon: icons[action],
    danger: action === "remove" || action === "cancel",
    onSelect: () => act(action, [row]),
  }));
  if (needsPassword(row)) {
    items.unshift({ text: names.password, icon: "key", onSelect: () => ask({ what: "password", rows: [row] }) });
  }
  items.push("line");
  if (allows(row, "priority")) {
    items.push({ text: names.priority, icon: "priority", onSelect: () => ask({ what: "priority", rows: [row] }) });
    items.push({ text: names.limit, icon: "gauge", onSelect: () => ask({ what: "limit", rows: [row] }) });
  }
  if (path) items.push({ text: t.copyPath, icon: "copy", onSelect: () => copy(path) });
  items.push({ text: t.details, icon: "info", onSelect: () => ask({ what: "details", rows: [row] }) });
  return (
    <span class="row-actions">
      {needsPassword(row) ? (
        <IconButton
          small
          icon="key"
          label={`${names.password}: ${name}`}
          onClick={() => ask({ what: "password", rows: [row] })}
        />
      ) : (
        first && (
          <IconButton small icon={icons[first]} label={`${names[first]}: ${name}`} onClick={() => act(first, [row])} />
        )
      )}
      <Menu small label={t.more(name)} items={items} />
    </span>
  );
}

function copy(path: string) {
  copyText(path).then(() => toast(text().done.copied), toastError);
}
