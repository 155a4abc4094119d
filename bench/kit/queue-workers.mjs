/** The node's own packet workers and nothing else: FIRST_QUEUE QUEUES. Ends with standard input. */

import { bootMs } from "../../dist/platform/clock.js";
import { createLog } from "../../dist/platform/log.js";
import { allocateShared, SharedState } from "../../dist/state/layout.js";
import { writeLease } from "../../dist/state/lease-word.js";
import { PacketWorkers } from "../../dist/supervise/packet-workers.js";

const BUCKETS = 256;
const LEASE_MS = 3_600_000;
const [firstQueue, queues] = process.argv.slice(2).map(Number);

const shared = allocateShared(BUCKETS, queues);
const state = new SharedState(shared);
state.owned.fill(-1);
writeLease(state.words, state.leaseAt, bootMs() + LEASE_MS);
const config = {
  cluster: { buckets: BUCKETS, hash: { mode: "tuple" } },
  dataplane: {
    firstQueue,
    queues,
    queueLength: 4096,
    copyRange: 128,
    socketBuffer: 8 << 20,
    gso: true,
    pickup: false,
    markMask: 0xffff0000,
  },
  nat: [],
};
const workers = await PacketWorkers.start({
  config,
  seed: 7,
  shared,
  state,
  log: createLog("warn", {}),
});
console.log("ready");
process.stdin.resume().once("end", async () => {
  await workers.stop();
  process.exit(0);
});
