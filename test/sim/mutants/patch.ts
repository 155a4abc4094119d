/** How a mutant gets into the program. */
import type { Twists } from "../world.js";

export interface Mutant {
  readonly name: string;
  /** What is wrong, in one line. */
  readonly what: string;
  /** Replaces something of the program; returns what puts it back. */
  readonly apply?: () => () => void;
  readonly twists?: Twists;
}

type Method = (this: never, ...args: never[]) => unknown;
// biome-ignore lint/suspicious/noExplicitAny: a mutant reaches what the program keeps private
type Any = any;

/**
 * Replaces a method of a class, private or not.
 * @param make given the original, makes the mutant; both are called with `this`
 */
export function patch(
  of: { readonly prototype: object },
  name: string,
  make: (original: (self: Any, ...args: Any[]) => Any) => (self: Any, ...args: Any[]) => Any,
): () => void {
  const prototype = of.prototype as Record<string, Method>;
  const original = prototype[name] as unknown as (...args: Any[]) => Any;
  if (typeof original !== "function") throw new Error(`there is no method ${name} to replace`);
  const mutant = make((self, ...args) => original.apply(self, args));
  prototype[name] = function (this: Any, ...args: Any[]) {
    return mutant(this, ...args);
  } as unknown as Method;
  return () => {
    prototype[name] = original as unknown as Method;
  };
}

/** A method that does nothing and returns `value`. */
export function disable(
  of: { readonly prototype: object },
  name: string,
  value?: unknown,
): () => void {
  return patch(of, name, () => () => value);
}

/** Puts two things back. */
export function both(one: () => void, other: () => void): () => void {
  return () => {
    one();
    other();
  };
}
