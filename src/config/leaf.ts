/**
 * Building blocks of the schema: one call makes the check, the default, the text of what is allowed
 * and the description, so that an error message, the JSON Schema and the manual say the same.
 */
import { z } from "zod";
import type { Bound } from "./limits.js";

/** What is allowed at a leaf of the schema, in words for an error message. */
export const allowedAt = z.registry<{ allowed: string }>();

function allow<T extends z.ZodType>(schema: T, allowed: string): T {
  allowedAt.add(schema, { allowed });
  return schema;
}

/** A whole number within `bound`; it must be given. */
export function whole(bound: Bound, description: string) {
  const schema = z.int().min(bound.min).max(bound.max).describe(description);
  return allow(schema, `${bound.min}..${bound.max}`);
}

/** A whole number within `bound`, with the bound's own default. */
export function wholeOr(bound: Bound & { fallback?: number }, description: string) {
  if (bound.fallback === undefined) throw new Error(`no fallback: ${description}`);
  return whole(bound, description).default(bound.fallback);
}

/** A number within `bound`, or the same in hex as a string, `"0xdeadbeef"`; gives the number. */
export function wholeOrHex(bound: Bound, description: string) {
  const hex = z
    .string()
    .regex(/^0x[0-9a-fA-F]{1,8}$/)
    .refine((text) => Number(text) >= bound.min && Number(text) <= bound.max);
  const either = z.union([z.int().min(bound.min).max(bound.max), hex]).describe(description);
  const allowed = `${bound.min}..${bound.max}, also as "0x..."`;
  return allow(
    either.transform((value) => Number(value)),
    allowed,
  );
}

/** One of a few words. */
export function word<const T extends readonly [string, ...string[]]>(words: T, about: string) {
  return allow(z.enum(words).describe(about), words.join(" | "));
}

/** Text that `check` accepts; `allowed` says in words what that is. */
export function text(check: (value: string) => boolean, allowed: string, description: string) {
  const schema = z.string().refine(check, "is not valid").describe(description);
  return allow(schema, allowed);
}

/** true or false. */
export function flag(fallback: boolean, description: string) {
  return allow(z.boolean().describe(description), "true | false").default(fallback);
}

/** A list with a bounded number of entries. */
export function list<T extends z.ZodType>(entry: T, bound: Bound, description: string) {
  const schema = z.array(entry).min(bound.min).max(bound.max).describe(description);
  return allow(schema, `a list of ${bound.min}..${bound.max} entries`);
}

/** A section whose keys are all known; an unknown one is an error. */
export function section<T extends z.ZodRawShape>(shape: T, description: string) {
  return allow(z.strictObject(shape).describe(description), Object.keys(shape).join(", "));
}

/** The schema under `optional()`, `default()` and `prefault()`. */
export function unwrap(schema: z.ZodType): z.ZodType {
  let inner = schema;
  while (
    inner instanceof z.ZodOptional ||
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodPrefault
  ) {
    inner = inner.unwrap() as z.ZodType;
  }
  return inner;
}

/** The schema at a path, or null where the path leaves the schema. */
export function schemaAt(root: z.ZodType, path: readonly PropertyKey[]): z.ZodType | null {
  let schema = unwrap(root);
  for (const step of path) {
    let next: z.ZodType | undefined;
    if (schema instanceof z.ZodObject) next = schema.shape[String(step)] as z.ZodType | undefined;
    else if (schema instanceof z.ZodArray) next = schema.element as z.ZodType;
    if (next === undefined) return null;
    schema = unwrap(next);
  }
  return schema;
}
