/** `shardwall nodes`: the nodes this node knows. */
import type { NodeReport } from "../api/report.js";
import { ask, type ClientOptions } from "./client.js";
import { print, table } from "./output.js";
import { linkText } from "./status.js";

export async function nodes(options: ClientOptions): Promise<void> {
  const report = await ask<NodeReport[]>(options.socket, "GET", "/v1/nodes");
  print(options.json ? JSON.stringify(report) : nodesText(report));
}

/** The list for people; `*` marks the node that answers. */
export function nodesText(report: readonly NodeReport[]): string {
  const rows = report.map((each) => [
    each.node,
    each.self ? "*" : "",
    each.state,
    each.inView ? "yes" : "no",
    each.ownedBuckets,
    each.epoch,
    each.incarnation,
    each.flows,
    each.links.map(linkText).join(" ") || "-",
  ]);
  const head = [
    "NODE",
    "",
    "STATE",
    "IN VIEW",
    "BUCKETS",
    "EPOCH",
    "INCARNATION",
    "FLOWS",
    "LAST HEARTBEAT",
  ];
  return table(head, rows);
}
