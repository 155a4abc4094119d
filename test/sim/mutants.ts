/**
 * Deliberate bugs, switched on one at a time. The program knows nothing of them: methods of its
 * classes are replaced for the time of a run, and put back. Each has to be caught by a checker.
 */
import { CLUSTER_MUTANTS } from "./mutants/cluster.js";
import { FLOW_MUTANTS } from "./mutants/flows.js";
import { MACHINE_MUTANTS } from "./mutants/machine.js";
import type { Mutant } from "./mutants/patch.js";
import type { Twists } from "./world.js";

export const MUTANTS: readonly Mutant[] = [...CLUSTER_MUTANTS, ...FLOW_MUTANTS, ...MACHINE_MUTANTS];

/** Runs `work` with a mutant switched on; an empty name: with none. */
export function withMutant<T>(name: string, work: (twists: Twists) => T): T {
  const mutant = MUTANTS.find((each) => each.name === name);
  const undo = mutant?.apply?.() ?? (() => {});
  try {
    return work(mutant?.twists ?? {});
  } finally {
    undo();
  }
}
