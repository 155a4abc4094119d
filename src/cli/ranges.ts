/** `shardwall ranges`: which node owns which buckets, as this node sees it. */
import { bucketsIn, type RangesReport } from "../api/report.js";
import { ask, type ClientOptions } from "./client.js";
import { print, rangeText, shareText, table } from "./output.js";

export async function ranges(options: ClientOptions): Promise<void> {
  const report = await ask<RangesReport>(options.socket, "GET", "/v1/ranges");
  print(options.json ? JSON.stringify(report) : rangesText(report));
}

/** The list for people, with what is owned by nobody or twice named below it. */
export function rangesText(report: RangesReport): string {
  const rows = report.ranges.map(({ node, range }) => [
    node,
    rangeText(range),
    shareText(bucketsIn(range), report.buckets),
  ]);
  const parts = [table(["NODE", "RANGE", "BUCKETS"], rows)];
  if (report.unowned > 0) parts.push(`${report.unowned} buckets are owned by nobody`);
  if (report.overlapping > 0) parts.push(`${report.overlapping} buckets are owned more than once`);
  return parts.join("\n");
}
