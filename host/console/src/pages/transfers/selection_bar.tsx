/** What can be done with the selected transfers. */
import type { TaskRow } from "stowage-client";
import { common } from "../../i18n";
import { countAllowed, type SimpleAction } from "../../tasks/change";
import { text as taskText } from "../../tasks/text";
import { Button, IconButton } from "../../ui/button";
import type { IconName } from "../../ui/icon";
import { Menu } from "../../ui/menu";
import type { Actions } from "./columns";
import { text } from "./text";

const buttons: readonly [SimpleAction, IconName][] = [
  ["pause", "pause"],
  ["resume", "play"],
  ["retry", "retry"],
  ["cancel", "close"],
  ["remove", "trash"],
];

export function SelectionBar({ rows, act, ask, onClear }: Actions & { rows: TaskRow[]; onClear: () => void }) {
  const t = text();
  const names = taskText().actions;
  const none = countAllowed(rows, "priority") === 0;
  return (
    <div class="selection-bar" role="toolbar" aria-label={common().states.selected(rows.length)}>
      <IconButton small icon="close" label={t.clearSelection} onClick={onClear} />
      <strong aria-live="polite">{common().states.selected(rows.length)}</strong>
      {buttons.map(
        ([action, icon]) =>
          countAllowed(rows, action) > 0 && (
            <Button key={action} small icon={icon} onClick={() => act(action, rows)}>
              {names[action]}
            </Button>
          ),
      )}
      <Menu
        small
        label={common().actions.more}
        items={[
          { text: names.priority, icon: "priority", disabled: none, onSelect: () => ask({ what: "priority", rows }) },
          { text: names.limit, icon: "gauge", disabled: none, onSelect: () => ask({ what: "limit", rows }) },
        ]}
      />
    </div>
  );
}
