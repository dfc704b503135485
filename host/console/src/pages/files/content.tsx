/** The bytes of a file, shown as what they are: a picture, a sound, a video, a text. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { StowageError } from "stowage-client";
import { bytes, dateTime, parseBytes } from "../../format";
import { reasonOf } from "../../reason";
import { stowage } from "../../server";
import { Button } from "../../ui/button";
import { PasswordField } from "../../ui/field";
import { Icon } from "../../ui/icon";
import { Notice, Progress, Skeleton } from "../../ui/states";
import type { Entry } from "./entry";
import { isTextName, kindIcons } from "./kind";
import { isProtected, isText, pictureType, sniffedBytes } from "./sniff";
import { text } from "./text";
import { readTranscript } from "./transcript";

/** A larger file is loaded only if the person wants it, in bytes. */
const loadedAtOnce = 8 << 20;
/** More than this of a text is not shown, in bytes. */
const mostText = 256 << 10;

type State =
  | { name: "loading"; loaded: number; total: number | null }
  /** It is large. Its size is known from the row or from the server. */
  | { name: "asking"; size: number }
  | { name: "locked"; error?: string }
  | { name: "picture" | "voice" | "video"; url: string }
  | { name: "text"; text: string; cut: boolean }
  | { name: "none" }
  | { name: "failed"; message: string };

interface Wish {
  /** The person wants it although it is large. */
  large: boolean;
  password?: string;
}

export interface ContentProps {
  entry: Entry;
  onDownload: (entry: Entry, password?: string) => void;
}

export function Content({ entry, onDownload }: ContentProps) {
  const [state, setState] = useState<State>({ name: "loading", loaded: 0, total: null });
  const [wish, setWish] = useState<Wish>({ large: false });

  useEffect(() => {
    const abort = new AbortController();
    let url: string | undefined;
    const show = (next: State) => {
      if ("url" in next) url = next.url;
      if (abort.signal.aborted) {
        if (url) URL.revokeObjectURL(url);
      } else setState(next);
    };
    // With the arrow keys many rows are active for a moment only.
    const timer = setTimeout(() => {
      load(entry, wish, abort.signal, show).catch((error: unknown) => show(failure(error)));
    }, 120);
    return () => {
      clearTimeout(timer);
      abort.abort();
      if (url) URL.revokeObjectURL(url);
    };
  }, [entry.hash, wish]);

  const { password } = wish;
  const isOpen = password !== undefined && ["picture", "voice", "video", "text", "none"].includes(state.name);
  return (
    <>
      <Shown entry={entry} state={state} setState={setState} wish={wish} setWish={setWish} onDownload={onDownload} />
      {isOpen && (
        <div class="row">
          <Button icon="download" onClick={() => onDownload(entry, password)}>
            {text().actions.download}
          </Button>
        </div>
      )}
    </>
  );
}

interface ShownProps extends ContentProps {
  state: State;
  setState: (state: State) => void;
  wish: Wish;
  setWish: (wish: Wish) => void;
}

function Shown({ entry, state, setState, wish, setWish, onDownload }: ShownProps) {
  const t = text().preview;
  switch (state.name) {
    case "loading":
      if (state.total === null || state.loaded === 0) return <Skeleton lines={3} />;
      return (
        <div>
          <p class="muted small">{t.loading(`${bytes(state.loaded)} / ${bytes(state.total)}`)}</p>
          <Progress value={(100 * state.loaded) / state.total} label={t.loading(entry.name)} />
        </div>
      );
    case "asking":
      return (
        <div class="stack">
          <p class="muted">{t.large}</p>
          <Button onClick={() => setWish({ ...wish, large: true })}>{t.load(bytes(state.size))}</Button>
        </div>
      );
    case "locked":
      return (
        <Unlock
          error={state.error}
          onOpen={(password) => setWish({ large: wish.large, password })}
          onDownload={(password) => onDownload(entry, password)}
        />
      );
    case "picture":
      return <img class="shown" src={state.url} alt={entry.name} onError={() => setState(broken())} />;
    case "voice":
      // biome-ignore lint/a11y/useMediaCaption: the file has no captions.
      return <audio controls src={state.url} onError={() => setState(broken())} />;
    case "video":
      // biome-ignore lint/a11y/useMediaCaption: the file has no captions.
      return <video class="shown" controls src={state.url} onError={() => setState(broken())} />;
    case "text":
      return (
        <>
          <Written {...state} />
          {state.cut && <p class="muted small">{t.cut(bytes(mostText))}</p>}
        </>
      );
    case "failed":
      return <Notice tone="bad">{state.message}</Notice>;
    case "none":
      return (
        <div class="big-icon">
          <Icon name={kindIcons[entry.kind]} />
          <p class="muted small">{t.none}</p>
        </div>
      );
  }
}

/** Messages as a conversation, any other text as it is. */
function Written({ text, cut }: { text: string; cut: boolean }) {
  const lines = useMemo(() => readTranscript(text, cut), [text, cut]);
  if (!lines) {
    return (
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a long text is scrolled by the keyboard.
      <pre class="shown text" tabIndex={0}>
        {text}
      </pre>
    );
  }
  return (
    <ol class="transcript">
      {lines.map((line, at) => (
        <li key={`${at}`}>
          <div class="muted small row">
            <b class="ellipsis">{line.from}</b>
            {line.time !== undefined && <time class="number">{dateTime(line.time)}</time>}
          </div>
          <p class="message">{line.text}</p>
        </li>
      ))}
    </ol>
  );
}

const broken = (): State => ({ name: "failed", message: text().preview.broken });

function failure(error: unknown): State {
  if (error instanceof StowageError) {
    if (error.code === 60004) return { name: "locked", error: error.reason };
    if (error.code === 60001) return { name: "failed", message: text().preview.missing };
  }
  return { name: "failed", message: reasonOf(error) };
}

async function load(entry: Entry, wish: Wish, signal: AbortSignal, show: (state: State) => void): Promise<void> {
  const { hash, platform, kind, name } = entry;
  const { password } = wish;
  if (entry.locked && password === undefined) return show({ name: "locked" });
  const readable = isTextName(name);
  const wanted = readable || kind === "picture" || kind === "voice" || kind === "video";
  show({ name: "loading", loaded: 0, total: null });
  // The start of a text is enough. A protected file has no parts.
  const range = (readable || !wanted) && password === undefined ? { start: 0, end: mostText } : undefined;
  if (wanted && range === undefined && !wish.large) {
    const size = parseBytes(entry.size);
    if (size !== null && size > loadedAtOnce) return show({ name: "asking", size });
  }
  const abort = new AbortController();
  const stop = () => abort.abort();
  signal.addEventListener("abort", stop);
  const answer = await stowage.files
    .get(hash, {
      platform,
      range,
      password,
      signal: abort.signal,
      onProgress: ({ loaded, total }) => show({ name: "loading", loaded, total }),
    })
    .catch((error: unknown) => {
      // An empty file has no part at all.
      if (error instanceof StowageError && error.status === 416) return new Response("");
      throw error;
    });
  const length = Number(answer.headers.get("content-length") ?? 0);
  if (range === undefined && !wish.large && length > loadedAtOnce) {
    stop();
    return show({ name: "asking", size: length });
  }
  const content = new Uint8Array(await answer.arrayBuffer());
  signal.removeEventListener("abort", stop);
  show(shown(entry, content, totalOf(answer) ?? content.length));
}

/** What bytes are shown as. `size` is that of the whole file. */
function shown({ kind, name }: Entry, content: Uint8Array<ArrayBuffer>, size: number): State {
  const start = content.subarray(0, sniffedBytes);
  if (isProtected(start)) return { name: "locked" };
  const picture = pictureType(start);
  if (picture && size === content.length) return { name: "picture", url: address(content, picture) };
  const media = kind === "voice" || kind === "video" ? kind : undefined;
  if (media && size === content.length) return { name: media, url: address(content, "") };
  const part = content.subarray(0, mostText);
  const cut = size > part.length;
  if (!media && isText(part, cut) && (isTextName(name) || size > 0)) {
    return { name: "text", text: new TextDecoder().decode(part, { stream: cut }), cut };
  }
  return { name: "none" };
}

function address(content: Uint8Array<ArrayBuffer>, type: string): string {
  return URL.createObjectURL(new Blob([content], { type }));
}

/** The size of the whole file, if the answer is a part of it. */
function totalOf(answer: Response): number | null {
  const found = /\/(\d+)$/.exec(answer.headers.get("content-range") ?? "");
  return found ? Number(found[1]) : null;
}

interface UnlockProps {
  error: string | undefined;
  onOpen: (password: string) => void;
  onDownload: (password: string) => void;
}

/** Asks for the password of a protected file. */
function Unlock({ error, onOpen, onDownload }: UnlockProps) {
  const t = text();
  const [password, setPassword] = useState("");
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (password) onOpen(password);
      }}
    >
      <div class="big-icon">
        <Icon name="lock" />
        <p class="muted small">{t.locked}</p>
      </div>
      <PasswordField label={t.preview.password} error={error} value={password} onInput={setPassword} />
      <div class="row wrap">
        <Button type="submit" kind="primary" disabled={password === ""}>
          {t.preview.open}
        </Button>
        <Button icon="download" disabled={password === ""} onClick={() => onDownload(password)}>
          {t.actions.download}
        </Button>
      </div>
    </form>
  );
}
