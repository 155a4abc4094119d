/** The node's own packet workers and nothing else: FIRST_QUEUE QUEUES. Ends with standard input. */

import { parseConfig } from "../../dist/config/config.js";
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
const config = parseConfig(
  `node: 1
cluster: { name: bench, insecure: true, buckets: ${BUCKETS}, hash: { mode: tuple } }
links: [{ interface: lo, group: 225.0.0.50 }]
interfaces: [{ name: lo, mac: "01:00:5e:00:01:01", addresses: [192.168.0.5/24] }]
dataplane: { firstQueue: ${firstQueue}, queues: ${queues}, socketBuffer: ${8 << 20}, copyRange: 128 }
`,
  "bench.yaml",
);
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
