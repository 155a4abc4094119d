/** `shardwall join`: take part again after a drain. */
import type { StatusReport } from "../api/report.js";
import { change, type WaitOptions } from "./wait.js";

export function join(options: WaitOptions): Promise<void> {
  return change(options, { verb: "join", isDone: isJoined, progress: joinProgress });
}

/** Joined: active, with its full share; the share arrives step by step as planned handover. */
export function isJoined(status: StatusReport): boolean {
  return status.state === "active" && status.ownedBuckets >= shareOf(status);
}

/** Least number of buckets a node of the view owns once ranges are equal. */
function shareOf(status: StatusReport): number {
  return Math.floor(status.buckets / Math.max(1, status.view.length));
}

function joinProgress(status: StatusReport): string {
  return `${status.state}, ${status.ownedBuckets} of ${shareOf(status)} buckets`;
}
