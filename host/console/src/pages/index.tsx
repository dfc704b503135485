/** Each page is a chunk of its own, loaded when it is first shown. */
import type { FunctionComponent } from "preact";
import { useEffect, useErrorBoundary, useState } from "preact/hooks";
import { comebacks } from "../connection";
import { common } from "../i18n";
import type { PageName } from "../router";
import { Button } from "../ui/button";
import { EmptyState, Skeleton } from "../ui/states";

type Module = { default: FunctionComponent };

const load: Record<PageName, () => Promise<Module>> = {
  overview: () => import("./overview"),
  files: () => import("./files"),
  transfers: () => import("./transfers"),
  modules: () => import("./modules"),
  api: () => import("./api"),
};

const loaded = new Map<PageName, FunctionComponent>();

export function Page({ name }: { name: PageName }) {
  const [, render] = useState(0);
  const [failed, setFailed] = useState(false);
  const back = comebacks.value;
  // The return of the server tries again.
  useEffect(() => {
    if (loaded.has(name)) return;
    let current = true;
    setFailed(false);
    load[name]().then(
      (module) => {
        loaded.set(name, module.default);
        if (current) render((n) => n + 1);
      },
      () => {
        if (current) setFailed(true);
      },
    );
    return () => {
      current = false;
    };
  }, [name, back]);
  const Content = loaded.get(name);
  if (Content) return <Guarded key={name} content={Content} />;
  return <div class="page">{failed ? <Broken /> : <Skeleton lines={6} />}</div>;
}

/** A page that fails leaves the frame as it is. */
function Guarded({ content: Content }: { content: FunctionComponent }) {
  const [error] = useErrorBoundary((cause) => console.error(cause));
  if (!error) return <Content />;
  return (
    <div class="page">
      <Broken />
    </div>
  );
}

function Broken() {
  const t = common().frame;
  return (
    <EmptyState icon="warning" title={t.broken} action={<Button onClick={() => location.reload()}>{t.reload}</Button>}>
      {t.brokenBody}
    </EmptyState>
  );
}
