/** The limits of all transfers together. */
import { useEffect, useState } from "preact/hooks";
import type { Data, paths } from "stowage-client";
import { common } from "../../i18n";
import { stowage } from "../../server";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Field } from "../../ui/field";
import { Skeleton } from "../../ui/states";
import { toast, toastError } from "../../ui/toast";
import { RateField } from "./rate_field";
import { text } from "./text";
import { parseCount } from "./written";

type Limits = Data<paths, "transferApi/getLimits">;
/** Null where the text of a field is wrong. */
type Draft = { [Name in keyof Limits]: number | null };

export function LimitsDialog({ open, onClose }: { open: boolean; onClose: () => void }) {
  const t = text();
  const [limits, setLimits] = useState<Limits | null>(null);
  const [draft, setDraft] = useState<Draft | null>(null);

  useEffect(() => {
    if (!open) return;
    setLimits(null);
    const abort = new AbortController();
    stowage.call("transferApi/getLimits", {}, { signal: abort.signal }).then(
      (now) => {
        setLimits(now);
        setDraft(now);
      },
      (error) => {
        toastError(error);
        if (!abort.signal.aborted) onClose();
      },
    );
    return () => abort.abort();
  }, [open]);

  const complete = draft !== null && Object.values(draft).every((value) => value !== null);
  const save = () => {
    if (!complete) return;
    stowage.call("transferApi/setLimits", draft).then(() => {
      toast(t.done.limits);
      onClose();
    }, toastError);
  };
  const set = (change: Partial<Draft>) => setDraft((old) => old && { ...old, ...change });

  return (
    <Dialog
      title={t.server.title}
      open={open}
      onClose={onClose}
      onSubmit={save}
      actions={
        <>
          <Button onClick={onClose}>{common().actions.cancel}</Button>
          <Button kind="primary" type="submit" disabled={!complete}>
            {common().actions.save}
          </Button>
        </>
      }
    >
      {limits === null && <Skeleton lines={4} />}
      {limits !== null && (
        <>
          <RateField
            label={t.server.download}
            initial={limits.downloadBytesPerSecond}
            onChange={(downloadBytesPerSecond) => set({ downloadBytesPerSecond })}
          />
          <RateField
            label={t.server.upload}
            initial={limits.uploadBytesPerSecond}
            onChange={(uploadBytesPerSecond) => set({ uploadBytesPerSecond })}
          />
          <CountField
            label={t.server.maxDownloads}
            initial={limits.maxDownloads}
            onChange={(maxDownloads) => set({ maxDownloads })}
          />
          <CountField
            label={t.server.maxUploads}
            initial={limits.maxUploads}
            onChange={(maxUploads) => set({ maxUploads })}
          />
          <p class="muted small">{t.server.hint}</p>
        </>
      )}
    </Dialog>
  );
}

interface CountFieldProps {
  label: string;
  initial: number;
  onChange: (value: number | null) => void;
}

function CountField({ label, initial, onChange }: CountFieldProps) {
  const t = text().server;
  const [written, setWritten] = useState(initial === 0 ? "" : String(initial));
  return (
    <Field label={label} error={parseCount(written) === null ? t.wrongCount : undefined}>
      {(control) => (
        <input
          {...control}
          inputMode="numeric"
          autocomplete="off"
          placeholder={t.none}
          value={written}
          onInput={(event) => {
            setWritten(event.currentTarget.value);
            onChange(parseCount(event.currentTarget.value));
          }}
        />
      )}
    </Field>
  );
}
