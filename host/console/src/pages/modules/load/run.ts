/** Does what a plan says. */
import type { CheckReport, Swap } from "../../../admin";
import * as calls from "../calls";
import type { Plan } from "./plan";

export type Result =
  | { kind: "checked"; reports: CheckReport[] }
  | { kind: "swapped"; swap: Swap; probation: boolean }
  | { kind: "started"; action: "shadow" | "canary"; name: string }
  | { kind: "failed"; error: Error };

/** It never throws: what failed is a result too. */
export async function run(plan: Plan, uploads: readonly calls.Upload[], force: boolean): Promise<Result> {
  try {
    return await attempt(plan, uploads, force);
  } catch (error) {
    return { kind: "failed", error: error instanceof Error ? error : new Error(String(error)) };
  }
}

async function attempt(plan: Plan, uploads: readonly calls.Upload[], force: boolean): Promise<Result> {
  const limits = { maxFaults: Number(plan.maxFaults), maxErrors: Number(plan.maxErrors) };
  const [first] = uploads;
  if (!first) throw new Error("no file was chosen");
  switch (plan.action) {
    case "check": {
      const reports: CheckReport[] = [];
      // One after the other: the server checks at most two at once.
      for (const upload of uploads) reports.push(await calls.check(upload));
      return { kind: "checked", reports };
    }
    case "swap": {
      const probation = Number(plan.probation);
      const swap = await calls.swap(uploads, { ...limits, probation }, force);
      return { kind: "swapped", swap, probation: probation > 0 };
    }
    case "shadow":
      await calls.shadow(first, plan.shadowShare);
      return { kind: "started", action: "shadow", name: first.name };
    case "canary": {
      const options = { ...limits, percent: plan.canaryShare, methods: plan.methods ?? [] };
      await calls.canary(first, options, force);
      return { kind: "started", action: "canary", name: first.name };
    }
  }
}
