/** Whether a cluster has come to rest, judged from what all of its nodes report. */
import { bucketsIn, type Run, type StatusReport } from "../api/report.js";

/**
 * Why a cluster is not at rest yet, or null when it is: all `nodes` active and in everybody's
 * view, their ranges contiguous, sorted by id, without gap or overlap, sizes within 1 (DESIGN of
 * ranges, sorted target).
 */
export function unrest(
  statuses: ReadonlyMap<number, StatusReport>,
  nodes: readonly number[],
): string | null {
  const found: StatusReport[] = [];
  for (const id of [...nodes].sort((a, b) => a - b)) {
    const status = statuses.get(id);
    if (status === undefined) return `node ${id} does not answer`;
    if (status.state !== "active") return `node ${id} is ${status.state}`;
    if (!status.lease.valid) return `node ${id} has no lease`;
    const { waitingBuckets } = status.replicas;
    if (waitingBuckets > 0) return `node ${id} waits for the flows of ${waitingBuckets} buckets`;
    if (status.view.length !== nodes.length) return `node ${id} sees ${status.view.join(" ")}`;
    found.push(status);
  }
  return rangeFault(
    found.map((status) => status.range),
    found[0]?.buckets ?? 0,
  );
}

/**
 * What is wrong with ranges that should be the sorted target of nodes in this order; null if
 * nothing.
 */
export function rangeFault(ranges: readonly (readonly Run[])[], buckets: number): string | null {
  let next = 0;
  for (const range of ranges) {
    const [run, ...more] = range;
    if (run === undefined || more.length > 0) return "a range is not one run";
    if (run[0] < next) return `bucket ${run[0]} is owned twice`;
    if (run[0] > next) return `bucket ${next} is not owned`;
    next = run[1] + 1;
  }
  if (next !== buckets) return `bucket ${next} is not owned`;
  const sizes = ranges.map(bucketsIn);
  return Math.max(...sizes) - Math.min(...sizes) > 1 ? "ranges are not equal" : null;
}
