/** The chosen files, and the way to choose more. */
import { useRef } from "preact/hooks";
import type { Module } from "../../../admin";
import { bytes, shortHash } from "../../../format";
import { Button, IconButton } from "../../../ui/button";
import { Field } from "../../../ui/field";
import { Icon } from "../../../ui/icon";
import { text } from "../text";
import type { Picked, PickedFiles } from "./picked";
import type { Problems } from "./plan";

interface ChoiceProps {
  picked: PickedFiles;
  live: readonly Module[];
  problems: Problems;
}

export function Choice({ picked, live, problems }: ChoiceProps) {
  const t = text().loading;
  const input = useRef<HTMLInputElement>(null);
  const some = picked.list.length > 0;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a button does the same by keyboard.
    <div
      class={some ? "stack tight" : "chooser"}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        picked.add([...(event.dataTransfer?.files ?? [])]);
      }}
    >
      {!some && (
        <>
          <Icon name="upload" />
          <p>{t.none}</p>
        </>
      )}
      {picked.list.map((one, n) => (
        <PickedFile
          key={one.id}
          one={one}
          live={live.find(({ name }) => name === one.name)}
          error={problems[`name ${n}`]}
          onRename={(name) => picked.rename(one.id, name)}
          onRemove={() => picked.remove(one.id)}
        />
      ))}
      <div>
        <Button icon={some ? "plus" : "folder"} small={some} onClick={() => input.current?.click()}>
          {some ? t.addMore : t.choose}
        </Button>
        <input
          ref={input}
          type="file"
          accept=".wasm,application/wasm"
          multiple
          hidden
          aria-label={t.choose}
          onChange={(event) => {
            picked.add([...(event.currentTarget.files ?? [])]);
            event.currentTarget.value = "";
          }}
        />
      </div>
    </div>
  );
}

interface PickedFileProps {
  one: Picked;
  live: Module | undefined;
  error: string | undefined;
  onRename: (name: string) => void;
  onRemove: () => void;
}

function PickedFile({ one: { file, name }, live, error, onRename, onRemove }: PickedFileProps) {
  const t = text().loading;
  return (
    <div class="picked">
      <Icon name="file" />
      <div class="picked-file">
        <div class="ellipsis" title={file.name}>
          {file.name}
        </div>
        <div class="muted small">
          {bytes(file.size)} · {live ? t.replaces(shortHash(live.version)) : t.isNew}
        </div>
      </div>
      <Field label={t.name} error={error}>
        {(control) => (
          <input
            {...control}
            value={name}
            spellcheck={false}
            autocomplete="off"
            onInput={(event) => onRename(event.currentTarget.value)}
          />
        )}
      </Field>
      <IconButton small icon="close" label={`${t.remove}: ${file.name}`} onClick={onRemove} />
    </div>
  );
}
