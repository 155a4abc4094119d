/** Schedules that found something, shrunk; each with one line of what it was. */
import type { Plan } from "./plan.js";

export interface Regression {
  readonly what: string;
  readonly plan: Plan;
}

export const REGRESSIONS: readonly Regression[] = [];
