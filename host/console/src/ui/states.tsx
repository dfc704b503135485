/** Small things that say how something is: badges, progress, loading, nothing, failed. */
import type { ComponentChildren } from "preact";
import { common } from "../i18n";
import type { Query } from "../query";
import { reasonOf } from "../reason";
import { Button } from "./button";
import { Icon, type IconName } from "./icon";

export type Tone = "neutral" | "good" | "warn" | "bad" | "info" | "accent";

export function Badge(props: { tone?: Tone; icon?: IconName; children: ComponentChildren }) {
  const { tone = "neutral", icon, children } = props;
  return (
    <span class={`badge ${tone}`}>
      {icon && <Icon name={icon} />}
      {children}
    </span>
  );
}

export interface ProgressProps {
  /** 0 to 100. */
  value: number;
  label: string;
  tone?: "accent" | "good" | "warn" | "bad" | "idle";
}

export function Progress({ value, label, tone = "accent" }: ProgressProps) {
  const part = Math.min(100, Math.max(0, value));
  return (
    <div
      class={`progress ${tone}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(part)}
    >
      <i style={{ transform: `scaleX(${part / 100})` }} />
    </div>
  );
}

/** Lines in the place of what is loaded. */
export function Skeleton({ lines = 1 }: { lines?: number }) {
  return (
    <div class="stack" role="status">
      <span class="hidden">{common().states.loading}</span>
      {Array.from({ length: lines }, (_, n) => (
        <span key={n} class="skeleton" style={{ width: `${90 - ((n * 17) % 45)}%` }} />
      ))}
    </div>
  );
}

export interface EmptyProps {
  icon: IconName;
  title: string;
  /** The next step. */
  children?: ComponentChildren;
  action?: ComponentChildren;
}

export function EmptyState({ icon, title, children, action }: EmptyProps) {
  return (
    <div class="empty">
      <Icon name={icon} />
      <h2>{title}</h2>
      {children && <p>{children}</p>}
      {action}
    </div>
  );
}

export function Notice(props: { tone?: "info" | "warn" | "bad"; children: ComponentChildren }) {
  const { tone = "info", children } = props;
  return (
    <div class={`notice ${tone}`}>
      <Icon name={tone === "info" ? "info" : "warning"} />
      <div class="grow">{children}</div>
    </div>
  );
}

/** Shows what a query loaded, or that it loads, or why it failed. */
export function Loaded<T>(props: { query: Query<T>; lines?: number; children: (data: T) => ComponentChildren }) {
  const { query, lines = 3, children } = props;
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (!query.error || query.loading) return <Skeleton lines={lines} />;
  return (
    <Notice tone="bad">
      <p>{common().states.failed}</p>
      <p class="muted small">{reasonOf(query.error)}</p>
      <Button small icon="retry" onClick={query.reload}>
        {common().actions.retry}
      </Button>
    </Notice>
  );
}
