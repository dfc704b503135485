import type { ComponentChildren, JSX } from "preact";
import { Icon, type IconName } from "./icon";

type ButtonAttributes = Omit<JSX.IntrinsicElements["button"], "icon" | "class" | "size">;

export interface ButtonProps extends ButtonAttributes {
  kind?: "plain" | "primary" | "danger" | "quiet";
  icon?: IconName;
  small?: boolean;
  children?: ComponentChildren;
}

export function Button({ kind = "plain", icon, small, children, ...rest }: ButtonProps) {
  const only = children === undefined && icon;
  const classes = ["button", kind, small && "small", only && "icon"].filter(Boolean).join(" ");
  return (
    <button type="button" class={classes} {...rest}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

export interface IconButtonProps extends Omit<ButtonProps, "children" | "label"> {
  icon: IconName;
  /** What the button does. It is also the tooltip. */
  label: string;
}

export function IconButton({ label, kind = "quiet", ...rest }: IconButtonProps) {
  return <Button kind={kind} aria-label={label} title={label} {...rest} />;
}
