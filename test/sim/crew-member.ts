/** A process of the simulator: runs what it is given, one after the other. */
import type { Answer, Task } from "./crew.js";
import { withMutant } from "./mutants.js";
import { runPlan } from "./run.js";
import { shrink } from "./shrink.js";

function answer({ kind, plan, mutant }: Task): Answer {
  return withMutant(mutant, (twists) =>
    kind === "run"
      ? { kind, outcome: runPlan(plan, { twists }) }
      : { kind, shrunk: shrink(plan, twists) },
  );
}

process.on("message", (task) => process.send?.(answer(task as Task)));
