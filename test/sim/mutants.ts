import type { Twists } from "./world.js";
export interface Mutant {
  readonly name: string;
  readonly what: string;
}
export const MUTANTS: readonly Mutant[] = [];
export function withMutant<T>(_name: string, work: (twists: Twists) => T): T {
  return work({});
}
