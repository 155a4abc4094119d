/** What the sync thread says of itself when it is asked. */
import { getHeapStatistics } from "node:v8";
import { bootMs } from "../../platform/clock.js";
import type { FlowSync } from "../flows/sync.js";
import type { KernelFlows } from "./kernel-flows.js";
import type { SyncSnapshot } from "./messages.js";

export function snapshotOf(
  sync: FlowSync,
  kernel: KernelFlows,
  isAttending: boolean,
): SyncSnapshot {
  const health = sync.health(bootMs());
  const counters = { ...health.counters };
  counters.coalesced = (counters.coalesced ?? 0) + kernel.coalesced;
  return {
    ...health,
    counters,
    heapBytes: getHeapStatistics().used_heap_size,
    isAttending,
    overruns: kernel.events.overruns,
    refused: { ...kernel.refused },
  };
}
