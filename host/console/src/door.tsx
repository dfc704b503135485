/** The page without a session: how to get in, and nothing else. */
import { useEffect } from "preact/hooks";
import { Tools } from "./app";
import { backoff } from "./connection";
import { common } from "./i18n";
import * as session from "./session";
import { CopyButton } from "./ui/copy";
import { Skeleton } from "./ui/states";

const command = "stowage console";

export function Door({ state }: { state: Exclude<session.State, { name: "open" }> }) {
  return (
    <div class="door">
      <header class="door-tools">
        <Tools inside={false} />
      </header>
      <main class="door-card">
        <img src="/console/icon.svg" alt="" />
        {state.name === "locked" && <HowToGetIn {...state} />}
        {state.name === "opening" && <Opening />}
        {state.name === "waiting" && <Waiting secret={state.secret} />}
      </main>
    </div>
  );
}

function HowToGetIn({ reason, message }: session.Locked) {
  const t = common().door;
  useEffect(() => {
    document.title = "Stowage";
  }, []);
  return (
    <>
      <h1>{t.title}</h1>
      <p role={reason === "none" ? undefined : "alert"}>{t.reasons[reason]}</p>
      {message && <p class="muted small">{message}</p>}
      <p>{t.step}</p>
      <div class="command">
        <code>{command}</code>
        <CopyButton text={command} label={t.copy} />
      </div>
      <p class="muted small">{t.terminal}</p>
    </>
  );
}

function Opening() {
  return (
    <>
      <h1>{common().door.opening}</h1>
      <Skeleton lines={3} />
    </>
  );
}

/** Tries the secret again until the server answers. */
function Waiting({ secret }: { secret: string }) {
  const t = common();
  useEffect(() => {
    let attempt = 0;
    let timer: ReturnType<typeof setTimeout>;
    const again = () => {
      timer = setTimeout(() => {
        attempt++;
        void session.exchange(secret).then(() => {
          if (session.state.peek().name === "waiting") again();
        });
      }, backoff(attempt));
    };
    again();
    return () => clearTimeout(timer);
  }, [secret]);
  return (
    <>
      <h1>{t.frame.waiting}</h1>
      <p class="muted">{t.frame.waitingBody}</p>
    </>
  );
}
