/**
 * Answers `GET /v1/flows`: the flows of the cluster in this node's kernel table, line by line, and
 * behind them the replicas that are kept out of it.
 */
import { setImmediate } from "node:timers/promises";
import { type FlowReport, flowReport, withReplication } from "../api/flow-report.js";
import { type RangesReport, rangesOf, type StatusReport } from "../api/report.js";
import type { OutFlows, OutPlace } from "../cluster/flows/description.js";
import { unpack } from "../cluster/flows/packed.js";
import type { Flow } from "../cluster/flows/record.js";
import { keyOf } from "../cluster/flows/record-wire.js";
import { flowOf, writeRecordOf } from "../cluster/sync/convert.js";
import { type FlowRecord, newFlow } from "../kernel/conntrack/record.js";
import { ConntrackTable } from "../kernel/conntrack/table.js";
import { MarkField } from "../state/mark-field.js";
import type { SyncThreadProxy } from "./replication.js";

/**
 * Opens the table and gives one JSON object a line, in chunks. It reads the kernel only as fast as
 * the chunks are taken, and lets other work in between.
 * @throws OpError where the table cannot be opened; the lines fail with it where it cannot be read
 */
export function flowLines(
  status: StatusReport,
  markMask: number,
  sync: Knowing,
): AsyncIterable<string> {
  const owners = ownersOf(rangesOf(status), status.node);
  return linesOf(new ConntrackTable(), new MarkField(markMask), owners, sync);
}

/** What the sync thread can be asked. */
export type Knowing = Pick<SyncThreadProxy, "describe" | "listOut">;

type Owners = readonly (number | null)[];

interface Found {
  readonly key: string;
  /** The report without what the sync thread knows. */
  readonly report: FlowReport;
}

async function* linesOf(
  table: ConntrackTable,
  field: MarkField,
  owners: Owners,
  sync: Knowing,
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
      if (found.length > 0) yield await described(found, sync);
      found = [];
      await setImmediate();
    }
  } finally {
    table.close();
  }
  yield* linesOfOut(field, owners, sync);
}

/** Replicas outside the kernel, as they would be in it. */
async function* linesOfOut(
  field: MarkField,
  owners: Owners,
  sync: Knowing,
): AsyncGenerator<string> {
  const record = newFlow();
  for (let place: OutPlace | null = { bucket: 0, skip: 0 }; place !== null; ) {
    const { flows, next }: OutFlows = await sync.listOut(place);
    const reports = flows.map(({ packed, description }) => {
      const flow = unpack(packed) as Flow;
      writeRecordOf(flow, field, record);
      return withReplication(flowReport(record, flow.bucket, owners[flow.bucket]), description);
    });
    if (reports.length > 0) yield textOf(reports);
    place = next;
  }
}

const textOf = (reports: readonly FlowReport[]) =>
  reports.map((report) => `${JSON.stringify(report)}\n`).join("");

async function described(found: readonly Found[], sync: Knowing): Promise<string> {
  const known = await sync.describe(found.map(({ key }) => key));
  return textOf(found.map(({ report }, index) => withReplication(report, known[index] ?? null)));
}

/**
 * The owner of each bucket. While a bucket moves, two nodes claim it: then it is this node where it
 * is one of them, else the lower id.
 */
function ownersOf(report: RangesReport, self: number): Owners {
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
