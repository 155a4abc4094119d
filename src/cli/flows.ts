/** `shardwall flows`: the flows of the cluster in this node's kernel table. */
import { once } from "node:events";
import type { FlowReport, TupleReport } from "../api/flow-report.js";
import { askLines, type ClientOptions } from "./client.js";

export async function flows(options: ClientOptions): Promise<void> {
  const reader = new AbortController();
  const gone = () => reader.abort();
  // `head` that has seen enough closes its end: an end for us too, but not a failure.
  process.stdout.on("error", gone);
  try {
    for await (const lines of askLines(options.socket, "/v1/flows")) {
      const shown = options.json ? lines : lines.map((line) => flowText(JSON.parse(line)));
      const isTaken = process.stdout.write(`${shown.join("\n")}\n`);
      if (!isTaken) await once(process.stdout, "drain", { signal: reader.signal }).catch(gone);
      if (reader.signal.aborted) return;
    }
  } finally {
    process.stdout.off("error", gone);
  }
}

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
    `community-id=${flow.communityId}`,
  ];
  return words.filter((word) => word !== "").join(" ");
}

function tupleText({ src, dst, ...keys }: TupleReport): string {
  const rest = Object.entries(keys).map(([key, value]) => ` ${key}=${value}`);
  return `src=${src} dst=${dst}${rest.join("")}`;
}
