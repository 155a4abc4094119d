/**
 * Forking and comparing nodes that were written to be used once.
 *
 * Problem: an exhaustive search comes back to the same state again and again, but production
 * objects change in place. Replaying each path from its start costs the depth of the search for
 * every single step; the structured clone of the platform loses classes and closures.
 *
 * Rule: copy the graph of objects, keeping prototypes and shared references. Bytes (`Uint8Array`)
 * are never changed once made and are shared, like functions: those of a node read its settings
 * only. A test holds whole ways against runs that were never forked.
 */

/** A copy of `root` that shares nothing that changes; what `shared` lists is not copied. */
export function fork<T>(root: T, shared: readonly object[]): T {
  const copies = new Map<object, object>(shared.map((value) => [value, value]));
  return copyOf(root, copies) as T;
}

function copyOf(value: unknown, copies: Map<object, object>): unknown {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  const known = copies.get(value);
  if (known) return known;
  if (ArrayBuffer.isView(value)) return remember(value, (value as Uint32Array).slice(), copies);
  if (value instanceof Map) {
    const copy = remember(value, new Map(), copies);
    for (const [key, item] of value) copy.set(copyOf(key, copies), copyOf(item, copies));
    return copy;
  }
  if (value instanceof Set) {
    const copy = remember(value, new Set(), copies);
    for (const item of value) copy.add(copyOf(item, copies));
    return copy;
  }
  if (Array.isArray(value)) {
    const copy: unknown[] = remember(value, [], copies);
    for (const item of value) copy.push(copyOf(item, copies));
    return copy;
  }
  const copy = remember(value, Object.create(Object.getPrototypeOf(value)), copies);
  for (const [key, item] of Object.entries(value)) copy[key] = copyOf(item, copies);
  return copy;
}

function remember<T extends object>(value: object, copy: T, copies: Map<object, object>): T {
  copies.set(value, copy);
  return copy;
}

/**
 * Fields that no decision reads, so that states which differ only there behave alike:
 * counters and link health for `status`, and what is constant or empty between two steps.
 */
const SILENT = new Set([
  "settings",
  "transport",
  "out",
  "refused",
  "links",
  "totalMs",
  "watchedMs",
  "universe",
]);

/**
 * All that decides how a graph of objects goes on, as text: equal texts, equal behaviour. Order in
 * maps and sets counts too, which may tell equals apart but never takes different ones for equal.
 */
export function fingerprint(root: unknown): string {
  const seen = new Map<object, number>();
  return textOf(root, seen);
}

function textOf(value: unknown, seen: Map<object, number>): string {
  if (typeof value === "bigint") return value.toString(36);
  if (typeof value === "function" || value === undefined) return "";
  if (typeof value !== "object" || value === null) return String(value);
  const known = seen.get(value);
  if (known !== undefined) return `^${known}`;
  seen.set(value, seen.size);
  if (ArrayBuffer.isView(value)) return (value as Uint32Array).join(" ");
  if (value instanceof Map) return listOf([...value].flat(), seen);
  if (Array.isArray(value) || value instanceof Set) return listOf([...value], seen);
  let text = "{";
  for (const [key, item] of Object.entries(value)) {
    if (SILENT.has(key)) continue;
    text += `${textOf(key === "sinceMs" ? sinceOfOpen(value as Since) : item, seen)},`;
  }
  return `${text}}`;
}

function listOf(items: readonly unknown[], seen: Map<object, number>): string {
  let text = "[";
  for (const item of items) text += `${textOf(item, seen)},`;
  return `${text}]`;
}

/** `ranges/uncovered.ts`: since when a bucket is open means nothing unless it is. */
interface Since {
  readonly open: Uint32Array;
  readonly sinceMs: Float64Array;
}

function sinceOfOpen({ open, sinceMs }: Since): number[] {
  return [...sinceMs].map((ms, bucket) => ((open[bucket >>> 5] >>> (bucket & 31)) & 1 ? ms : 0));
}
