/** Filters, totals, and what concerns all transfers. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { TaskRow } from "stowage-client";
import { number, rate } from "../../format";
import { common } from "../../i18n";
import { stowage } from "../../server";
import type { SimpleAction } from "../../tasks/change";
import { Button, IconButton } from "../../ui/button";
import { Search, Segmented, Select } from "../../ui/field";
import { narrowWidth } from "../../ui/grid";
import { Icon } from "../../ui/icon";
import { useMedia } from "../../ui/media";
import { Menu } from "../../ui/menu";
import { toast, toastError } from "../../ui/toast";
import { type Filter, type Group, groups, type Totals } from "./filter";
import { LimitsDialog } from "./limits";
import { text } from "./text";

export interface ToolbarProps {
  filter: Filter;
  onFilter: (filter: Filter) => void;
  counts: Record<Group, number>;
  totals: Totals;
  /** The finished tasks that match. */
  finished: readonly TaskRow[];
  act: (action: SimpleAction, rows: readonly TaskRow[]) => void;
  /** Takes the place of the filters, so that the list stays where it is. */
  children?: ComponentChildren;
}

export function Toolbar({ filter, onFilter, counts, totals, finished, act, children }: ToolbarProps) {
  const t = text();
  const [limits, setLimits] = useState(false);
  const narrow = useMedia(`(max-width: ${narrowWidth}px)`);
  return (
    <div class="transfers-toolbar">
      <div class="row wrap">
        <Segmented
          label={t.state}
          value={filter.group}
          onChange={(group) => onFilter({ ...filter, group })}
          options={groups.map((value) => ({ value, text: `${t.groups[value]} ${number(counts[value])}` }))}
        />
        <Summary totals={totals} />
        {narrow ? (
          <IconButton kind="plain" icon="gauge" label={t.limits} onClick={() => setLimits(true)} />
        ) : (
          <Button icon="gauge" onClick={() => setLimits(true)}>
            {t.limits}
          </Button>
        )}
        <Menu
          kind="plain"
          label={t.all}
          items={[
            { text: t.pauseAll, icon: "pause", onSelect: () => all("pause", filter) },
            { text: t.resumeAll, icon: "play", onSelect: () => all("resume", filter) },
            "line",
            {
              text: t.clear,
              icon: "trash",
              disabled: finished.length === 0,
              onSelect: () => act("remove", finished),
            },
          ]}
        />
      </div>
      {children || <Filters filter={filter} onFilter={onFilter} />}
      <LimitsDialog open={limits} onClose={() => setLimits(false)} />
    </div>
  );
}

function Filters({ filter, onFilter }: Pick<ToolbarProps, "filter" | "onFilter">) {
  const t = text();
  const platforms = common().platforms;
  return (
    <div class="row wrap">
      <Search value={filter.keyword} label={t.search} onInput={(keyword) => onFilter({ ...filter, keyword })} />
      <Select
        label={t.direction}
        value={filter.type}
        onChange={(type) => onFilter({ ...filter, type })}
        options={[
          { value: -1, text: t.directions.both },
          { value: 1, text: t.directions.downloads },
          { value: 0, text: t.directions.uploads },
        ]}
      />
      <Select
        label={t.platform}
        value={filter.platform}
        onChange={(platform) => onFilter({ ...filter, platform })}
        options={[
          { value: -1, text: t.allPlatforms },
          ...[3, 2, 1, 0, 4].map((value) => ({ value, text: platforms[value] ?? String(value) })),
        ]}
      />
    </div>
  );
}

function Summary({ totals }: { totals: Totals }) {
  const t = text();
  return (
    <div class="transfers-summary">
      <span title={t.downloadSpeed(rate(totals.download))}>
        <Icon name="arrowDown" />
        <span class="hidden">{t.directions.downloads}</span>
        {rate(totals.download)}
      </span>
      <span title={t.uploadSpeed(rate(totals.upload))}>
        <Icon name="arrowUp" />
        <span class="hidden">{t.directions.uploads}</span>
        {rate(totals.upload)}
      </span>
      <span class="muted" aria-live="polite">
        {t.running(number(totals.running))}
        {totals.waiting > 0 && ` · ${t.waiting(number(totals.waiting))}`}
      </span>
    </div>
  );
}

/** Pauses or resumes all tasks of the direction and the platform that the page shows. */
function all(action: "pause" | "resume", { type, platform }: Filter) {
  const t = text().done;
  const which = { type: type < 0 ? null : type, platform: platform < 0 ? null : platform };
  const method = action === "pause" ? "transferApi/pauseAll" : "transferApi/resumeAll";
  stowage.call(method, which).then((count) => toast(count > 0 ? t[action](count) : t.none), toastError);
}
