/** The modules: what is live, what is on trial, what was. A dropped .wasm is checked or taken live. */
import { useRef, useState } from "preact/hooks";
import { number } from "../../format";
import { useQuery } from "../../query";
import { go, route } from "../../router";
import { Button } from "../../ui/button";
import { Loaded, Progress } from "../../ui/states";
import { Tabs } from "../../ui/tabs";
import * as calls from "./calls";
import { Detail } from "./detail";
import { History } from "./history";
import { Live } from "./live";
import { LoadDialog } from "./load/dialog";
import { DropZone } from "./load/drop";
import "./modules.css";
import { Refusals } from "./report";
import { text } from "./text";

/** Between two questions for what is live, in milliseconds. */
const every = 2000;

export default function ModulesPage() {
  const t = text();
  const [view = "live", name] = route.value.path;
  const query = useQuery((signal) => calls.list(signal), ["modules"], { every });
  const [loading, setLoading] = useState<{ files: File[]; module?: string }>();
  const reload = query.reload;
  const live = useRef<string[]>([]);
  live.current = query.data?.modules.map((module) => module.name) ?? live.current;
  const history = view === "history";
  return (
    <DropZone onDrop={(files) => setLoading({ files, ...(name && { module: name }) })} open={loading === undefined}>
      <div class="page modules-page">
        <MigrationBanner />
        <Loaded query={query} lines={8}>
          {(now) =>
            name && !history ? (
              <Detail name={name} now={now} reload={reload} onLoad={() => setLoading({ files: [], module: name })} />
            ) : (
              <div class="with-action">
                <Tabs
                  label={t.tabs.label}
                  tabs={[
                    { id: "live", text: t.tabs.live },
                    { id: "history", text: t.tabs.history },
                  ]}
                  current={history ? "history" : "live"}
                  onChange={(to) => go("modules", to === "history" ? ["history"] : [], {}, true)}
                >
                  {history ? (
                    <History now={now} reload={reload} />
                  ) : (
                    <>
                      <Live now={now} onLoad={() => setLoading({ files: [] })} />
                      <p class="muted small drop-hint">
                        {t.dropHere} · {t.generation(number(now.generation))}
                      </p>
                    </>
                  )}
                </Tabs>
                <Button kind="primary" icon="upload" onClick={() => setLoading({ files: [] })}>
                  {t.load}
                </Button>
              </div>
            )
          }
        </Loaded>
        {loading && (
          <LoadDialog
            {...loading}
            now={query.data?.modules ?? []}
            onClose={() => setLoading(undefined)}
            onDone={reload}
          />
        )}
        <Refusals />
      </div>
    </DropZone>
  );
}

/** The progress of a migration, which holds calls. */
function MigrationBanner() {
  const t = text().migration;
  const query = useQuery((signal) => calls.migration(signal), ["migration"], { every });
  const migration = query.data?.migration;
  if (!migration) return null;
  const { module, rows, total } = migration;
  const done = total === null ? t.rows(number(rows)) : t.rowsOf(number(rows), number(total));
  return (
    <div class="notice warn" role="status">
      <div class="grow stack tight">
        <div class="head">
          <strong>{t.title(module)}</strong>
          <span class="number">{done}</span>
        </div>
        {total !== null && <Progress value={(rows / Math.max(1, total)) * 100} label={t.title(module)} tone="warn" />}
      </div>
    </div>
  );
}
