/** What a person wants to do with the chosen files, and what is wrong with it. */
import { number } from "../../../format";
import { text } from "../text";
import { isName } from "./names";
import type { Picked } from "./picked";

export const actions = ["check", "swap", "shadow", "canary"] as const;
export type Action = (typeof actions)[number];

/** Numbers are kept as they are typed. */
export interface Plan {
  action: Action;
  probation: string;
  maxFaults: string;
  maxErrors: string;
  shadowShare: number;
  canaryShare: number;
  /** Null for all methods. */
  methods: string[] | null;
}

/** The server's defaults. */
export const initial: Plan = {
  action: "check",
  probation: "60",
  maxFaults: "3",
  maxErrors: "5",
  shadowShare: 100,
  canaryShare: 5,
  methods: null,
};

/** What is wrong, by field. The names of files are `name 0`, `name 1`. */
export type Problems = Record<string, string>;

const day = 24 * 3600;

export function problemsOf(plan: Plan, picked: readonly Picked[]): Problems {
  const t = text().loading.problems;
  const problems: Problems = {};
  picked.forEach(({ name }, n) => {
    if (!isName(name)) problems[`name ${n}`] = t.name;
    else if (picked.findIndex((other) => other.name === name) < n) problems[`name ${n}`] = t.twice;
  });
  const inRange = (field: "probation" | "maxFaults" | "maxErrors", least: number, most: number, whole: boolean) => {
    const value = plan[field].trim() === "" ? Number.NaN : Number(plan[field]);
    if (value >= least && value <= most && (!whole || Number.isInteger(value))) return;
    problems[field] = t.number(number(least, 2), number(most));
  };
  if (plan.action === "swap") inRange("probation", 0, day, true);
  if (plan.action === "swap" || plan.action === "canary") {
    inRange("maxFaults", 1, 1_000_000, true);
    inRange("maxErrors", 0.01, 100, false);
  }
  if (plan.action === "canary" && plan.methods?.length === 0) problems["methods"] = t.methods;
  return problems;
}
