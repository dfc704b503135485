/** A native modal dialog: the browser keeps the focus inside, and gives it back. */
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { common } from "../i18n";
import { Button, IconButton } from "./button";

export interface DialogProps {
  title: string;
  open: boolean;
  onClose: () => void;
  /** The buttons at the end. A `type="submit"` button sends the form. */
  actions?: ComponentChildren;
  /** With it the dialog is a form. */
  onSubmit?: () => void;
  wide?: boolean;
  children: ComponentChildren;
}

export function Dialog({ title, open, onClose, actions, onSubmit, wide, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  // Before the next key arrives: what is typed belongs to the dialog.
  useLayoutEffect(() => {
    const element = dialog.current;
    if (!element) return;
    if (open && !element.open) element.showModal();
    if (!open && element.open) element.close();
  }, [open]);
  if (!open) return null;
  const content = (
    <>
      <div class="dialog-head">
        <h2 id={id}>{title}</h2>
        <IconButton icon="close" label={common().actions.close} onClick={onClose} />
      </div>
      <div class="dialog-body">{children}</div>
      {actions && <div class="dialog-actions">{actions}</div>}
    </>
  );
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Esc does the same as a click beside the dialog.
    <dialog
      ref={dialog}
      class={`dialog${wide ? " wide" : ""}`}
      aria-labelledby={id}
      onClose={onClose}
      onCancel={(event) => {
        // The state of the page closes it, not the browser alone.
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === dialog.current) onClose();
      }}
    >
      {onSubmit ? (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            onSubmit();
          }}
        >
          {content}
        </form>
      ) : (
        content
      )}
    </dialog>
  );
}

interface Question {
  title: string;
  body: ComponentChildren;
  /** The button that does it. */
  action: string;
  danger?: boolean;
}

const question = signal<(Question & { answer: (yes: boolean) => void }) | null>(null);

/** Asks before something that cannot be undone. */
export function ask(what: Question): Promise<boolean> {
  return new Promise((resolve) => {
    question.value = {
      ...what,
      answer: (yes) => {
        question.value = null;
        resolve(yes);
      },
    };
  });
}

/** Shows the questions of `ask`. The frame has one. */
export function Questions() {
  const now = question.value;
  if (!now) return null;
  return (
    <Dialog
      title={now.title}
      open
      onClose={() => now.answer(false)}
      actions={
        <>
          <Button onClick={() => now.answer(false)}>{common().actions.cancel}</Button>
          <Button kind={now.danger ? "danger" : "primary"} onClick={() => now.answer(true)}>
            {now.action}
          </Button>
        </>
      }
    >
      <div>{now.body}</div>
    </Dialog>
  );
}
