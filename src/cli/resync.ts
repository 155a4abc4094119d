/** `shardwall resync`: forget what is known of other nodes' flows, and fetch it anew. */
import type { StatusReport } from "../api/report.js";
import { change, type WaitOptions } from "./wait.js";

export function resync(options: WaitOptions): Promise<void> {
  return change(options, { verb: "resync", isDone, progress: resyncProgress, failure });
}

function isDone({ sync }: StatusReport): boolean {
  return sync?.resync?.state === "done";
}

function failure({ sync }: StatusReport): string {
  return sync?.resync?.state === "failed" ? sync.resync.reason : "";
}

/** How far it has come, for people. */
export function resyncProgress({ sync }: Pick<StatusReport, "sync">): string {
  const { flows = 0, flowsExpected = 0, waitsFor = [] } = sync?.resync ?? {};
  const waits = waitsFor.length === 0 ? "" : `, waits for ${waitsFor.join(" and ")}`;
  return `${flows} of ${flowsExpected} flows of peers${waits}`;
}
