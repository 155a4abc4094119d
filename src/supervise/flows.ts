/** Answers `GET /v1/flows`: the flows of the cluster in this node's kernel table, line by line. */
import { setImmediate } from "node:timers/promises";
import { type FlowReport, flowReport, withReplication } from "../api/flow-report.js";
import { type RangesReport, rangesOf, type StatusReport } from "../api/report.js";
import type { FlowDescription } from "../cluster/flows/description.js";
import { keyOf } from "../cluster/flows/record-wire.js";
import { flowOf } from "../cluster/sync/convert.js";
import type { FlowRecord } from "../kernel/conntrack/record.js";
import { ConntrackTable } from "../kernel/conntrack/table.js";
import { MarkField } from "../state/mark-field.js";

/**
 * Opens the table and gives one JSON object a line, in chunks. It reads the kernel only as fast as
 * the chunks are taken, and lets other work in between.
 * @throws OpError where the table cannot be opened; the lines fail with it where it cannot be read
 */
export function flowLines(
  status: StatusReport,
  markMask: number,
  describe: Describe,
): AsyncIterable<string> {
  const owners = ownersOf(rangesOf(status), status.node);
  return linesOf(new ConntrackTable(), new MarkField(markMask), owners, describe);
}

/** Asks the sync thread what it knows of the flows with these keys. */
export type Describe = (keys: readonly string[]) => Promise<readonly (FlowDescription | null)[]>;

interface Found {
  readonly key: string;
  /** The report without what the sync thread knows. */
  readonly report: FlowReport;
}

async function* linesOf(
  table: ConntrackTable,
  field: MarkField,
  owners: readonly (number | null)[],
  describe: Describe,
): AsyncGenerator<string> {
  let found: Found[] = [];
  const add = (record: FlowRecord) => {
    if (!field.isCluster(record.mark)) return;
    const flow = flowOf(record, field);
    const bucket = flow?.bucket ?? null;
    const report = flowReport(record, bucket, bucket === null ? null : (owners[bucket] ?? null));
    found.push({ key: flow === null ? "" : keyOf(flow), report });
  };
  try {
    for (const _ of table.dumpSteps(add)) {
      if (found.length > 0) yield await described(found, describe);
      found = [];
      await setImmediate();
    }
  } finally {
    table.close();
  }
}

async function described(found: readonly Found[], describe: Describe): Promise<string> {
  const known = await describe(found.map(({ key }) => key));
  const reports = found.map(({ report }, index) => withReplication(report, known[index] ?? null));
  return reports.map((report) => `${JSON.stringify(report)}\n`).join("");
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
