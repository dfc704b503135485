/** The frame around the pages, or the door if there is no session. */
import { useEffect, useRef } from "preact/hooks";
import { info, online, outdated } from "./connection";
import { Door } from "./door";
import { choose, common, type Language, language, languages } from "./i18n";
import { Page } from "./pages";
import { href, type PageName, pages, route } from "./router";
import * as session from "./session";
import { chooseTheme, theme, themes } from "./theme";
import { Button } from "./ui/button";
import { Questions } from "./ui/dialog";
import { Icon } from "./ui/icon";
import { Menu, type MenuItem } from "./ui/menu";
import { Toasts } from "./ui/toast";

export function App() {
  const state = session.state.value;
  return (
    <>
      {state.name === "open" ? <Frame /> : <Door state={state} />}
      <Questions />
      <Toasts />
    </>
  );
}

function Frame() {
  const t = common();
  const { page } = route.value;
  const heading = useRef<HTMLHeadingElement>(null);
  const before = useRef<PageName>(page);
  const title = t.pages[page];
  useEffect(() => {
    document.title = `${title} · Stowage`;
  }, [title]);
  // Another page begins at its heading, so that the keyboard and the screen reader are there.
  useEffect(() => {
    if (before.current === page) return;
    before.current = page;
    heading.current?.focus();
  }, [page]);
  return (
    <div class="frame">
      <button type="button" class="skip" onClick={() => document.getElementById("main")?.focus()}>
        {t.frame.skip}
      </button>
      <Sidebar current={page} />
      <header class="bar">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        <Connection />
        <Tools />
      </header>
      <div class="content">
        <Banners />
        <main class="main" id="main" tabIndex={-1}>
          <Page name={page} />
        </main>
      </div>
    </div>
  );
}

function Sidebar({ current }: { current: PageName }) {
  const t = common();
  return (
    <nav class="sidebar" aria-label={t.frame.navigation}>
      <a class="brand" href={href("overview")}>
        <img src="/console/icon.svg" alt="" />
        Stowage
      </a>
      <div class="nav">
        {pages.map((name) => (
          <a key={name} href={href(name)} aria-current={name === current ? "page" : undefined}>
            <Icon name={name} />
            {t.pages[name]}
          </a>
        ))}
      </div>
      {info.value && <div class="version">Stowage {info.value.version}</div>}
    </nav>
  );
}

function Connection() {
  const t = common().frame;
  return (
    <span class="connection" data-online={online.value} role="status">
      {online.value ? t.connected : t.waiting}
    </span>
  );
}

/** Language, appearance and the way out. */
export function Tools({ inside = true }: { inside?: boolean }) {
  const t = common().frame;
  const languageItems = (Object.keys(languages) as Language[]).map(
    (name): MenuItem => ({
      text: languages[name],
      checked: language.value === name,
      onSelect: () => choose(name),
    }),
  );
  const icons = { system: "screen", light: "sun", dark: "moon" } as const;
  const themeItems = themes.map(
    (name): MenuItem => ({
      text: t.themes[name],
      icon: icons[name],
      checked: theme.value === name,
      onSelect: () => chooseTheme(name),
    }),
  );
  return (
    <>
      <Menu icon="language" label={t.language} items={languageItems} />
      <Menu icon={icons[theme.value]} label={t.theme} items={themeItems} />
      {inside && (
        <Button
          kind="quiet"
          icon="signOut"
          aria-label={t.signOut}
          title={t.signOut}
          onClick={() => session.lock({ reason: "none" })}
        />
      )}
    </>
  );
}

function Banners() {
  const t = common().frame;
  return (
    <div aria-live="polite">
      {!online.value && (
        <div class="banner">
          <Icon name="warning" />
          {t.waitingBody}
        </div>
      )}
      {outdated.value && (
        <div class="banner">
          <Icon name="info" />
          {t.outdated}
          <Button small onClick={() => location.reload()}>
            {t.reload}
          </Button>
        </div>
      )}
    </div>
  );
}
