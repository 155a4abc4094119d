/** From a key's path to its line: an error without a line makes its reader count. */
import { type Document, isMap, isPair, isScalar, isSeq, type LineCounter, type Node } from "yaml";
import type { Path } from "./problem.js";

/**
 * The line of the key at `path`, counted from 1. A key that is not in the text (it is missing, or
 * took its default) gets the line of the nearest section around it; null for an empty text.
 */
export function lineOf(document: Document, lines: LineCounter, path: Path): number | null {
  let node = document.contents as Node | null;
  let offset = node?.range?.[0] ?? null;
  for (const step of path) {
    const found = stepInto(node, step);
    if (found === null) break;
    offset = found.offset ?? offset;
    node = found.node;
  }
  return offset === null ? null : lines.linePos(offset).line;
}

interface Found {
  readonly node: Node | null;
  readonly offset: number | null;
}

function stepInto(node: Node | null, step: string | number): Found | null {
  if (isSeq(node) && typeof step === "number") {
    const item = (node.items[step] as Node | undefined) ?? null;
    return item === null ? null : { node: item, offset: item.range?.[0] ?? null };
  }
  if (!isMap(node)) return null;
  for (const pair of node.items) {
    if (!isPair(pair) || !isScalar(pair.key) || String(pair.key.value) !== String(step)) continue;
    return { node: pair.value as Node | null, offset: pair.key.range?.[0] ?? null };
  }
  return null;
}
