/** What the demo measured, for programs and for people, and whether the promise was kept. */
import { fields } from "../cli/output.js";
import type { Observation } from "./observer.js";
import type { ClientReport } from "./traffic/client.js";

export interface Outcome {
  readonly nodes: number;
  readonly client: ClientReport;
  readonly seen: Observation;
  /** Milliseconds; null when it did not happen. */
  readonly takeoverMs: number | null;
  readonly rejoinMs: number | null;
  /** What was wrong with the ranges at the end. */
  readonly fault: string | null;
}

/** The one object of `shardwall demo --json`. */
export function resultOf({ nodes, client, seen, takeoverMs, rejoinMs }: Outcome) {
  return {
    nodes,
    hits: client.hits,
    failed: client.failed,
    hitsByNode: seen.hitsByNode,
    acceptedTwice: seen.acceptedTwice,
    takeoverMs: rounded(takeoverMs),
    rejoinMs: rounded(rejoinMs),
    overlapPackets: seen.overlapPackets,
  };
}

/** Why the promise was not kept; empty when it was. */
export function brokenPromises({ client, takeoverMs, rejoinMs, fault, seen }: Outcome): string[] {
  const broken: string[] = [];
  if (client.hits === 0) broken.push("no connection succeeded");
  if (takeoverMs === null) broken.push("nobody took the dead node's range over");
  if (rejoinMs === null) broken.push("the node did not get its range back");
  if (fault !== null) broken.push(`at the end ${fault}`);
  for (const [id, hits] of Object.entries(seen.hitsByNode)) {
    if (hits === 0) broken.push(`node ${id} forwarded nothing`);
  }
  return broken;
}

/** The summary for people. */
export function summaryOf({ nodes, client, seen, takeoverMs, rejoinMs }: Outcome): string {
  const shares = Object.entries(seen.hitsByNode).map(([id, hits]) => `node ${id}: ${hits}`);
  const { p50, p99, max } = client.latencyMs;
  const lines: [string, string][] = [
    ["nodes", String(nodes)],
    ["hits", `${client.hits} (${shares.join(", ")})`],
    ["failed", `${client.failed}${reasonText(client)}`],
    ["latency", `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, max ${max.toFixed(0)} ms`],
    ["accepted twice", `${seen.acceptedTwice} connections`],
    ["overlap", `${seen.overlapPackets} packets forwarded by two nodes`],
    ["takeover", msText(takeoverMs)],
    ["rejoin", msText(rejoinMs)],
  ];
  if (seen.untracked > 0) lines.push(["not observed", `${seen.untracked} frames`]);
  return fields(lines);
}

function reasonText({ reasons }: ClientReport): string {
  const each = Object.entries(reasons).map(([reason, count]) => `${reason} ${count}`);
  return each.length === 0 ? "" : ` (${each.join(", ")})`;
}

function msText(ms: number | null): string {
  return ms === null ? "did not happen" : `${Math.round(ms)} ms`;
}

/** Tenths of a millisecond: the probes are 5 ms apart. */
function rounded(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms * 10) / 10;
}
