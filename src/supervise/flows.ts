/** Answers `GET /v1/flows`: the flows of the cluster in this node's kernel table, line by line. */
import { setImmediate } from "node:timers/promises";
import { flowReport } from "../api/flow-report.js";
import { type RangesReport, rangesOf, type StatusReport } from "../api/report.js";
import type { FlowRecord } from "../kernel/conntrack/record.js";
import { ConntrackTable } from "../kernel/conntrack/table.js";
import { MarkField } from "../state/mark-field.js";

/**
 * Opens the table and gives one JSON object a line, in chunks. It reads the kernel only as fast as
 * the chunks are taken, and lets other work in between.
 * @throws OpError where the table cannot be opened; the lines fail with it where it cannot be read
 */
export function flowLines(status: StatusReport, markMask: number): AsyncIterable<string> {
  const owners = ownersOf(rangesOf(status), status.node);
  return linesOf(new ConntrackTable(), new MarkField(markMask), owners);
}

async function* linesOf(
  table: ConntrackTable,
  field: MarkField,
  owners: readonly (number | null)[],
): AsyncGenerator<string> {
  let chunk = "";
  const add = (flow: FlowRecord) => {
    if (!field.isCluster(flow.mark)) return;
    const bucket = field.bucketOf(flow.mark);
    const report =
      bucket < 0 ? flowReport(flow, null, null) : flowReport(flow, bucket, owners[bucket] ?? null);
    chunk += `${JSON.stringify(report)}\n`;
  };
  try {
    for (const _ of table.dumpSteps(add)) {
      if (chunk !== "") yield chunk;
      chunk = "";
      await setImmediate();
    }
  } finally {
    table.close();
  }
}

/**
 * The owner of each bucket. While a bucket moves, two nodes claim it: then it is this node where it
 * is one of them, else the lower id.
 */
function ownersOf(report: RangesReport, self: number): (number | null)[] {
  const owners = new Array<number | null>(report.buckets).fill(null);
  for (const { node, range } of report.ranges) {
    for (const [first, last] of range) {
      for (let bucket = first; bucket <= Math.min(last, report.buckets - 1); bucket++) {
        if (owners[bucket] === null || node === self) owners[bucket] = node;
      }
    }
  }
  return owners;
}
