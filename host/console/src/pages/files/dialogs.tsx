/** The small forms of the page: a name, a text, an upload with a password. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { common } from "../../i18n";
import { reasonOf } from "../../reason";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Field, PasswordField } from "../../ui/field";
import { text } from "./text";

interface FormProps {
  onClose: () => void;
}

/** The buttons of a form. */
function Actions({ action, busy, onClose }: { action: string; busy: boolean; onClose: () => void }) {
  return (
    <>
      <Button onClick={onClose}>{common().actions.cancel}</Button>
      <Button kind="primary" type="submit" disabled={busy}>
        {action}
      </Button>
    </>
  );
}

/** Runs what a form is for. What the server refuses is shown at the field. */
function useSend(onClose: () => void) {
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const send = async (what: () => Promise<unknown>) => {
    setBusy(true);
    setError(undefined);
    try {
      await what();
      onClose();
    } catch (refused) {
      setError(reasonOf(refused));
      setBusy(false);
    }
  };
  return { error, setError, busy, send };
}

export interface NameProps extends FormProps {
  title: string;
  action: string;
  value?: string;
  onName: (name: string) => Promise<unknown>;
}

/** Asks for the name of a folder or file. */
export function NameDialog({ title, action, value = "", onName, onClose }: NameProps) {
  const t = text().name;
  const [name, setName] = useState(value);
  const { error, setError, busy, send } = useSend(onClose);
  const input = useRef<HTMLInputElement>(null);
  // The end of a file's name says what it is, so it is not selected.
  useLayoutEffect(() => {
    const dot = value.lastIndexOf(".");
    input.current?.focus();
    input.current?.setSelectionRange(0, dot > 0 ? dot : value.length);
  }, [value]);
  const submit = () => {
    const wanted = name.trim();
    if (wanted === "") return setError(t.missing);
    if ([...wanted].length > 255) return setError(t.long);
    void send(() => onName(wanted));
  };
  return (
    <Dialog title={title} open onClose={onClose} onSubmit={submit} actions={<Actions {...{ action, busy, onClose }} />}>
      <Field label={t.label} hint={t.hint} error={error}>
        {(control) => (
          <input
            {...control}
            ref={input}
            value={name}
            autocomplete="off"
            onInput={(event) => setName(event.currentTarget.value)}
          />
        )}
      </Field>
    </Dialog>
  );
}

/** Asks for a text that is kept as a favourite. */
export function TextDialog({ onText, onClose }: FormProps & { onText: (text: string) => Promise<unknown> }) {
  const t = text().text;
  const [written, setWritten] = useState("");
  const { error, setError, busy, send } = useSend(onClose);
  const submit = () => {
    if (written.trim() === "") setError(t.missing);
    else void send(() => onText(written));
  };
  return (
    <Dialog
      title={t.title}
      open
      onClose={onClose}
      onSubmit={submit}
      actions={<Actions action={t.add} busy={busy} onClose={onClose} />}
    >
      <Field label={t.label} error={error}>
        {(control) => (
          <textarea {...control} rows={6} value={written} onInput={(event) => setWritten(event.currentTarget.value)} />
        )}
      </Field>
    </Dialog>
  );
}

/** Asks for files and the password that will open them. */
export function SecretDialog({
  onUpload,
  onClose,
}: FormProps & { onUpload: (files: File[], password: string) => void }) {
  const t = text().secret;
  const [password, setPassword] = useState("");
  const [files, setFiles] = useState<File[]>([]);
  const [tried, setTried] = useState(false);
  const submit = () => {
    setTried(true);
    if (password === "" || files.length === 0) return;
    onUpload(files, password);
    onClose();
  };
  return (
    <Dialog
      title={t.title}
      open
      onClose={onClose}
      onSubmit={submit}
      actions={<Actions action={t.upload} busy={false} onClose={onClose} />}
    >
      <p class="muted">{t.body}</p>
      <Field label={t.files} error={tried && files.length === 0 ? t.choose : undefined}>
        {(control) => (
          <input
            {...control}
            type="file"
            multiple
            onChange={(event) => setFiles([...(event.currentTarget.files ?? [])])}
          />
        )}
      </Field>
      <PasswordField
        label={t.password}
        error={tried && password === "" ? t.missing : undefined}
        value={password}
        onInput={setPassword}
        chosen
      />
    </Dialog>
  );
}
