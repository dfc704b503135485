/** A menu behind a button. Arrow keys move, Esc closes, letters jump. */
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Button, type ButtonProps } from "./button";
import { Icon, type IconName } from "./icon";

export type MenuItem =
  | {
      text: string;
      icon?: IconName;
      onSelect: () => void;
      danger?: boolean;
      disabled?: boolean;
      /** One choice of several: whether it is the one. */
      checked?: boolean;
    }
  | { group: string }
  | "line";

export interface MenuProps extends Pick<ButtonProps, "kind" | "icon" | "small"> {
  /** What the button is for. */
  label: string;
  /** Shows the label in the button, not only as a tooltip. */
  text?: boolean;
  items: readonly MenuItem[];
  disabled?: boolean;
  /** Rows of a grid have one tab stop. */
  tabIndex?: number;
}

export function Menu({ label, text, items, icon = "more", kind = "quiet", ...rest }: MenuProps) {
  const [open, setOpen] = useState(false);
  const menu = useRef<HTMLDivElement>(null);
  const anchor = useRef<HTMLSpanElement>(null);
  const id = useId();

  // Before the next key arrives, the focus is in the menu.
  useLayoutEffect(() => {
    const element = menu.current;
    const button = anchor.current?.firstElementChild;
    if (!open || !element || !button) return;
    element.showPopover();
    place(element, button.getBoundingClientRect());
    step(element, 0, "first");
  }, [open]);

  const close = (focus: boolean) => {
    setOpen(false);
    if (focus) (anchor.current?.firstElementChild as HTMLElement | null)?.focus();
  };

  return (
    <span ref={anchor}>
      <Button
        icon={icon}
        kind={kind}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        aria-label={text ? undefined : label}
        title={text ? undefined : label}
        onClick={(event) => {
          event.stopPropagation();
          setOpen(!open);
        }}
        onKeyDown={(event) => {
          if (event.key !== "ArrowDown" || open) return;
          event.preventDefault();
          event.stopPropagation();
          setOpen(true);
        }}
        {...rest}
      >
        {text ? label : undefined}
      </Button>
      {open && (
        <div
          ref={menu}
          id={id}
          class="menu"
          role="menu"
          aria-label={label}
          popover="auto"
          tabIndex={-1}
          onToggle={(event) => {
            if (event.newState === "closed") setOpen(false);
          }}
          onKeyDown={(event) => {
            event.stopPropagation();
            if (!keys(event, menu.current)) return;
            event.preventDefault();
            if (event.key === "Escape" || event.key === "Tab") close(true);
          }}
        >
          {items.map((item, index) => (
            <Entry
              key={typeof item === "object" && "text" in item ? item.text : index}
              item={item}
              onDone={() => close(true)}
            />
          ))}
        </div>
      )}
    </span>
  );
}

function Entry({ item, onDone }: { item: MenuItem; onDone: () => void }) {
  if (item === "line") return <hr />;
  if ("group" in item) return <div class="group">{item.group}</div>;
  const choice = item.checked !== undefined;
  return (
    <button
      type="button"
      role={choice ? "menuitemradio" : "menuitem"}
      aria-checked={item.checked}
      aria-disabled={item.disabled}
      tabIndex={-1}
      class={item.danger ? "danger" : undefined}
      onClick={(event) => {
        event.stopPropagation();
        if (item.disabled) return;
        onDone();
        item.onSelect();
      }}
    >
      {item.icon && <Icon name={item.icon} />}
      {item.text}
      {item.checked && (
        <span class="tick">
          <Icon name="check" />
        </span>
      )}
    </button>
  );
}

/** Below the button, or above it if there is no room; inside the window. */
function place(menu: HTMLElement, button: DOMRect) {
  const gap = 4;
  const { width, height } = menu.getBoundingClientRect();
  const below = button.bottom + gap;
  const top = below + height > innerHeight - 8 ? Math.max(8, button.top - gap - height) : below;
  const alignEnd = button.left + width > innerWidth - 8;
  const left = alignEnd ? Math.max(8, button.right - width) : button.left;
  menu.style.top = `${top}px`;
  menu.style.left = `${left}px`;
}

function step(menu: HTMLElement, by: number, from: "first" | "last" | "here") {
  const items = [...menu.querySelectorAll<HTMLElement>('[role^="menuitem"]')];
  const here = items.indexOf(document.activeElement as HTMLElement);
  const at = from === "first" ? 0 : from === "last" ? items.length - 1 : here + by;
  items[(at + items.length) % items.length]?.focus();
}

/** Whether the menu knows the key. */
function keys(event: KeyboardEvent, menu: HTMLElement | null): boolean {
  if (!menu) return false;
  switch (event.key) {
    case "ArrowDown":
      step(menu, 1, "here");
      return true;
    case "ArrowUp":
      step(menu, -1, "here");
      return true;
    case "Home":
      step(menu, 0, "first");
      return true;
    case "End":
      step(menu, 0, "last");
      return true;
    case "Escape":
    case "Tab":
      return true;
  }
  if (event.key.length !== 1 || event.key === " ") return false;
  const letter = event.key.toLowerCase();
  const items = [...menu.querySelectorAll<HTMLElement>('[role^="menuitem"]')];
  items.find((item) => item.textContent?.trim().toLowerCase().startsWith(letter))?.focus();
  return true;
}
