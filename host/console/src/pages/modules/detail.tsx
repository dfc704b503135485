/** One live module. */
import type { Module, Modules } from "../../admin";
import { go, href, route } from "../../router";
import { Button } from "../../ui/button";
import { Icon } from "../../ui/icon";
import { Menu } from "../../ui/menu";
import { EmptyState } from "../../ui/states";
import { Tabs } from "../../ui/tabs";
import { unload } from "./actions";
import { Facts } from "./facts";
import { History } from "./history";
import { ModuleLog } from "./log";
import { StateBadges, Version } from "./parts";
import { text } from "./text";
import { Trial } from "./trial";

const views = ["facts", "trial", "log", "history"] as const;
type View = (typeof views)[number];

interface DetailProps {
  name: string;
  now: Modules;
  reload: () => void;
  onLoad: () => void;
}

export function Detail({ name, now, reload, onLoad }: DetailProps) {
  const t = text().detail;
  const module = now.modules.find((live) => live.name === name);
  return (
    <>
      <a class="row back" href={href("modules")}>
        <Icon name="arrowLeft" />
        {t.back}
      </a>
      {module ? (
        <LiveModule module={module} now={now} reload={reload} onLoad={onLoad} />
      ) : (
        <EmptyState
          icon="modules"
          title={t.gone(name)}
          action={
            <a class="button" href={href("modules", ["history"])}>
              {text().tabs.history}
            </a>
          }
        >
          {t.goneBody}
        </EmptyState>
      )}
    </>
  );
}

type LiveModuleProps = Omit<DetailProps, "name"> & { module: Module };

function LiveModule({ module, now, reload, onLoad }: LiveModuleProps) {
  const t = text();
  const d = t.detail;
  const { name, version } = module;
  const onTrial = module.canary || module.shadow || module.probation;
  const wanted = views.find((view) => view === route.value.path[2]) ?? "facts";
  const view: View = wanted === "trial" && !onTrial ? "facts" : wanted;
  const tabs = views.filter((id) => id !== "trial" || onTrial).map((id) => ({ id, text: d.tabs[id] }));
  return (
    <>
      <div class="row wrap module-head">
        <h2>{name}</h2>
        <Version hash={version} />
        <StateBadges module={module} />
        <span class="grow" />
        <Button kind="primary" icon="upload" onClick={onLoad}>
          {t.loadNew}
        </Button>
        <Menu
          label={d.more}
          kind="plain"
          items={[
            {
              text: t.history.back,
              icon: "history",
              onSelect: () => go("modules", ["live", name, "history"]),
            },
            { text: t.unload.action, icon: "trash", danger: true, onSelect: () => void unload(module, reload) },
          ]}
        />
      </div>
      <Tabs
        label={d.tabs.label}
        tabs={tabs}
        current={view}
        onChange={(to) => go("modules", to === "facts" ? ["live", name] : ["live", name, to], {}, true)}
      >
        {view === "facts" && <Facts module={module} />}
        {view === "trial" && <Trial module={module} reload={reload} />}
        {view === "log" && <ModuleLog key={name} name={name} />}
        {view === "history" && <History now={now} reload={reload} module={name} />}
      </Tabs>
    </>
  );
}
