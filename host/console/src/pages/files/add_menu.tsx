/** The buttons that put something into a folder. */
import { useRef, useState } from "preact/hooks";
import { Button } from "../../ui/button";
import { Menu, type MenuItem } from "../../ui/menu";
import { toast } from "../../ui/toast";
import { NameDialog, SecretDialog, TextDialog } from "./dialogs";
import { addText } from "./favorites";
import type { Path, Section } from "./section";
import { text } from "./text";

export interface AddMenuProps {
  section: Section;
  path: Path;
  /** Undefined where nothing can be uploaded. */
  onUpload: ((files: readonly File[], password?: string) => void) | undefined;
  onChange: () => void;
}

export function AddMenu({ section, path, onUpload, onChange }: AddMenuProps) {
  const t = text();
  const [form, setForm] = useState<"folder" | "text" | "secret">();
  const input = useRef<HTMLInputElement>(null);
  const create = section.createFolder(path);
  const close = () => setForm(undefined);
  const folder = section.name === "favorites" ? path[0] : undefined;
  const more: MenuItem[] = [];
  if (onUpload) more.push({ text: t.actions.uploadSecret, icon: "lock", onSelect: () => setForm("secret") });
  if (folder !== undefined) more.push({ text: t.actions.addText, icon: "text", onSelect: () => setForm("text") });
  return (
    <>
      {create && (
        <Button icon="plus" aria-label={t.actions.newFolder} onClick={() => setForm("folder")}>
          <span class="wide-only">{t.actions.newFolder}</span>
        </Button>
      )}
      {onUpload && (
        <>
          <Button kind="primary" icon="upload" onClick={() => input.current?.click()}>
            {t.actions.upload}
          </Button>
          <input
            ref={input}
            type="file"
            multiple
            hidden
            aria-label={t.actions.upload}
            onChange={(event) => {
              onUpload([...(event.currentTarget.files ?? [])]);
              // The same file can be chosen again.
              event.currentTarget.value = "";
            }}
          />
        </>
      )}
      {more.length > 0 && <Menu label={t.actions.uploadMore} icon="chevronDown" kind="plain" items={more} />}
      {form === "folder" && create && (
        <NameDialog
          title={t.name.folder}
          action={t.name.make}
          onName={async (name) => {
            await create(name);
            onChange();
            toast(t.made(name));
          }}
          onClose={close}
        />
      )}
      {form === "text" && folder !== undefined && (
        <TextDialog
          onText={async (written) => {
            await addText(folder, written);
            onChange();
            toast(t.kept);
          }}
          onClose={close}
        />
      )}
      {form === "secret" && onUpload && <SecretDialog onUpload={onUpload} onClose={close} />}
    </>
  );
}
