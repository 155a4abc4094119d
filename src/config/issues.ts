/** zod's issues in the words of this program: what is wrong there, and what is allowed. */
import type { z } from "zod";
import { allowedAt, schemaAt } from "./leaf.js";
import { type Finding, pathText } from "./problem.js";
import { didYouMean } from "./suggest.js";

type Issue = z.core.$ZodIssue;

/**
 * All findings of a failed parse, one for each place: an issue about several unknown keys gives one
 * per key, and several checks that fail on one value give one together.
 */
export function findingsOf(root: z.ZodType, issues: readonly Issue[], input: unknown): Finding[] {
  const found = issues.flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? unknownKeys(root, issue.path as (string | number)[], issue.keys)
      : [oneFinding(root, issue, input)],
  );
  const byPlace = new Map(found.map((finding) => [pathText(finding.path), finding]));
  return [...byPlace.values()];
}

function unknownKeys(root: z.ZodType, path: (string | number)[], keys: string[]): Finding[] {
  const known = allowedText(root, path)?.split(", ") ?? [];
  return keys.map((key) => ({
    path: [...path, key],
    message: `unknown key${didYouMean(key, known)}`,
    allowed: known.join(", "),
  }));
}

function oneFinding(root: z.ZodType, issue: Issue, input: unknown): Finding {
  const path = issue.path as (string | number)[];
  const value = valueAt(input, path);
  const allowed = allowedText(root, path);
  const message = messageOf(issue, value, allowed);
  return allowed === null ? { path, message } : { path, message, allowed };
}

function messageOf(issue: Issue, value: unknown, allowed: string | null): string {
  if (value === undefined) return "is missing";
  if (value === null) return "is empty";
  if (issue.code === "invalid_type") return `is ${kindOf(value)}, not ${wanted(issue.expected)}`;
  if (issue.code === "invalid_value") {
    return `${show(value)} is not known${didYouMean(String(value), allowed?.split(" | ") ?? [])}`;
  }
  if (Array.isArray(value)) return `has ${value.length} entries`;
  if (issue.code === "too_small" || issue.code === "too_big")
    return `${show(value)} is out of range`;
  return `${show(value)} is not valid`;
}

function wanted(expected: string): string {
  const words: Record<string, string> = {
    int: "a whole number",
    number: "a number",
    string: "text",
    boolean: "true or false",
    array: "a list",
    object: "a section of keys",
  };
  return words[expected] ?? expected;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a section of keys";
  return show(value);
}

/** A value in a message: quoted, and short whatever a file holds. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function allowedText(root: z.ZodType, path: readonly PropertyKey[]): string | null {
  const schema = schemaAt(root, path);
  return schema === null ? null : (allowedAt.get(schema)?.allowed ?? null);
}

function valueAt(input: unknown, path: readonly (string | number)[]): unknown {
  let value = input;
  for (const step of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}
