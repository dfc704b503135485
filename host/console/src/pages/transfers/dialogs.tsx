/** What is asked about one or several transfers, and the details of one. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { TaskRow } from "stowage-client";
import { bytes, dateTime } from "../../format";
import { common } from "../../i18n";
import { givePassword, setLimit, setPriority } from "../../tasks/change";
import { phaseOf } from "../../tasks/phase";
import { reasonOf, text as taskText } from "../../tasks/text";
import { Button } from "../../ui/button";
import { CopyButton } from "../../ui/copy";
import { Dialog } from "../../ui/dialog";
import { Field, PasswordField } from "../../ui/field";
import { toast, toastError } from "../../ui/toast";
import { RateField } from "./rate_field";
import { text } from "./text";

export interface Asked {
  what: "priority" | "limit" | "password" | "details";
  rows: TaskRow[];
}

interface TaskDialogsProps {
  asked: Asked | null;
  /** The tasks as they are now. */
  rows: readonly TaskRow[];
  onClose: () => void;
}

export function TaskDialogs({ asked, rows, onClose }: TaskDialogsProps) {
  const [first] = asked?.rows ?? [];
  if (!asked || !first) return null;
  if (asked.what === "details") {
    return <DetailsDialog row={rows.find((row) => row.taskId === first.taskId) ?? first} onClose={onClose} />;
  }
  if (asked.what === "password") return <PasswordDialog row={first} onClose={onClose} />;
  if (asked.what === "priority") return <PriorityDialog rows={asked.rows} onClose={onClose} />;
  return <LimitDialog rows={asked.rows} onClose={onClose} />;
}

interface FormProps {
  title: string;
  send: string;
  disabled?: boolean;
  onClose: () => void;
  onSend: () => Promise<void>;
  children: ComponentChildren;
}

/** A dialog that stays open if the server refuses. */
function FormDialog({ title, send, disabled = false, onClose, onSend, children }: FormProps) {
  const [busy, setBusy] = useState(false);
  const submit = () => {
    if (disabled || busy) return;
    setBusy(true);
    onSend()
      .then(onClose, toastError)
      .finally(() => setBusy(false));
  };
  return (
    <Dialog
      title={title}
      open
      onClose={onClose}
      onSubmit={submit}
      actions={
        <>
          <Button onClick={onClose}>{common().actions.cancel}</Button>
          <Button kind="primary" type="submit" disabled={disabled || busy}>
            {send}
          </Button>
        </>
      }
    >
      {children}
    </Dialog>
  );
}

function PriorityDialog({ rows, onClose }: { rows: TaskRow[]; onClose: () => void }) {
  const t = text();
  const [priority, setValue] = useState(rows[0]?.priority ?? 5);
  return (
    <FormDialog
      title={t.priority.title}
      send={common().actions.save}
      onClose={onClose}
      onSend={async () => {
        await setPriority(rows, priority);
        toast(t.done.priority);
      }}
    >
      <Field label={t.priority.label} hint={t.priority.hint}>
        {({ id, "aria-describedby": described }) => (
          <div class="row">
            <input
              id={id}
              aria-describedby={described}
              class="grow"
              type="range"
              min={0}
              max={9}
              step={1}
              value={priority}
              onInput={(event) => setValue(Number(event.currentTarget.value))}
            />
            <output for={id} class="priority-value">
              {priority}
            </output>
          </div>
        )}
      </Field>
    </FormDialog>
  );
}

function LimitDialog({ rows, onClose }: { rows: TaskRow[]; onClose: () => void }) {
  const t = text();
  const [limit, setValue] = useState<number | null>(0);
  return (
    <FormDialog
      title={t.limit.title}
      send={common().actions.save}
      disabled={limit === null}
      onClose={onClose}
      onSend={async () => {
        await setLimit(rows, limit ?? 0);
        toast(t.done.limit);
      }}
    >
      <RateField label={t.limit.label} hint={t.limit.hint} initial={0} onChange={setValue} />
    </FormDialog>
  );
}

function PasswordDialog({ row, onClose }: { row: TaskRow; onClose: () => void }) {
  const t = text();
  const [password, setPassword] = useState("");
  return (
    <FormDialog
      title={t.password.title}
      send={t.password.send}
      disabled={password === ""}
      onClose={onClose}
      onSend={() => givePassword(row, password)}
    >
      <p class="ellipsis">{row.name || row.hash}</p>
      <PasswordField label={t.password.label} hint={t.password.hint} value={password} onInput={setPassword} />
    </FormDialog>
  );
}

function DetailsDialog({ row, onClose }: { row: TaskRow; onClose: () => void }) {
  const t = text().detail;
  const facts: [string, string, boolean?][] = [
    [t.state, taskText().phases[phaseOf(row)]],
    [t.reason, reasonOf(row)],
    [t.platform, common().platforms[row.shareIndex] ?? String(row.shareIndex)],
    [t.size, bytes(row.size)],
    [t.started, dateTime(row.time)],
    [t.priority, String(row.priority)],
    [t.to, row.folderPath, true],
    [t.from, row.sourcePath, true],
    [t.folder, row.path, true],
    [t.hash, row.hash, true],
    [t.task, row.taskId, true],
  ];
  return (
    <Dialog title={row.name || row.hash} open wide onClose={onClose}>
      <dl class="facts">
        {facts
          .filter(([, value]) => value !== "")
          .map(([name, value, copied]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd class={copied ? "mono" : undefined}>
                <span>{value}</span>
                {copied && <CopyButton text={value} label={`${common().actions.copy}: ${name}`} />}
              </dd>
            </div>
          ))}
      </dl>
      {row.isCrypt === 1 && <p class="muted">{t.protected}</p>}
    </Dialog>
  );
}
