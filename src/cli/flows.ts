/** `shardwall flows`: the flows of the cluster in this node's kernel table, and cold replicas. */
import type { FlowReport, TupleReport } from "../api/flow-report.js";
import { askLines, type ClientOptions } from "./client.js";

export async function flows(options: ClientOptions): Promise<void> {
  for await (const lines of askLines(options.socket, "/v1/flows")) {
    const shown = options.json ? lines : lines.map((line) => flowText(JSON.parse(line)));
    if (!(await isTaken(`${shown.join("\n")}\n`))) return;
  }
}

/**
 * Writes to stdout and waits until it is taken, so that a slow reader slows the node's answer down.
 * False where the reader is gone: `head` that has seen enough ends us, and that is no failure.
 */
function isTaken(text: string): Promise<boolean> {
  const { stdout } = process;
  if (!stdout.listeners("error").includes(ignore)) stdout.on("error", ignore);
  return new Promise((resolve) => {
    stdout.write(text, (error) => resolve(error === null || error === undefined));
  });
}

/** The error of a write goes to its callback; without a listener it would end the process too. */
function ignore(): void {}

/** A flow as conntrack(8) prints it, with what the cluster knows behind it. */
export function flowText(flow: FlowReport): string {
  const words = [
    `${flow.protocol.padEnd(8)} ${flow.protocolNumber} ${flow.timeout}`,
    flow.state ?? "",
    tupleText(flow.original),
    flow.replied ? "" : "[UNREPLIED]",
    tupleText(flow.reply),
    flow.assured ? "[ASSURED]" : "",
    `mark=${flow.mark}`,
    flow.zone === 0 ? "" : `zone=${flow.zone}`,
    flow.helper === null ? "" : `helper=${flow.helper}`,
    `bucket=${flow.bucket ?? "unknown"}`,
    `owner=${flow.owner ?? "none"}`,
    ...replicationWords(flow),
    `community-id=${flow.communityId}`,
  ];
  return words.filter((word) => word !== "").join(" ");
}

/** Age in seconds, and which peers have the flow; of a replica, that it is one. */
function replicationWords({ replication }: FlowReport): string[] {
  if (replication === null) return ["peers=none"];
  const { ageMs, role, peers, isInKernel } = replication;
  const age = `age=${Math.floor(ageMs / 1000)}`;
  if (role === "replica") return [age, isInKernel ? "[REPLICA]" : "[COLD REPLICA]"];
  return [age, `peers=${peers.join(",") || "none"}`];
}

function tupleText({ src, dst, ...keys }: TupleReport): string {
  const rest = Object.entries(keys).map(([key, value]) => ` ${key}=${value}`);
  return `src=${src} dst=${dst}${rest.join("")}`;
}
