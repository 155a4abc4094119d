/** `shardwall drain`: hand the range over without loss, before a stop or for maintenance. */
import type { StatusReport } from "../api/report.js";
import { change, type WaitOptions } from "./wait.js";

export function drain(options: WaitOptions): Promise<void> {
  return change(options, { verb: "drain", isDone: isDrained, progress: drainProgress });
}

/** Drained: out of the view, and nothing is left that is not handed over. */
export function isDrained(status: StatusReport): boolean {
  return status.state === "draining" && status.ownedBuckets === 0;
}

function drainProgress(status: StatusReport): string {
  return `${status.state}, ${status.ownedBuckets} buckets left`;
}
