/**
 * What a packet costs in user space: the worker's own loop over packets in memory, with a capture
 * that is not a kernel. Dissect, look the flow up in the mirror, hash, decide, count.
 *
 * `source` asks the mirror for each packet; its packets come from all over the flows, so that it is
 * read where the cache does not hold it. `tuple` needs no mirror: the packet tells its bucket.
 */
import { BucketHash } from "../dist/packet/flow/bucket.js";
import { FlowMirror } from "../dist/packet/flow/flow-mirror.js";
import { Worker } from "../dist/packet/worker.js";
import { bootMs } from "../dist/platform/clock.js";
import { BATCH_MAX } from "../dist/platform/native.js";
import { allocateShared, SharedState } from "../dist/state/layout.js";
import { writeLease } from "../dist/state/lease-word.js";
import { MarkField } from "../dist/state/mark-field.js";
import { alternate, rowsOf } from "./kit/figures.mjs";
import { fullMirror } from "./kit/mirror.mjs";
import { MemoryCapture } from "./kit/packets.mjs";
import { target } from "./kit/print.mjs";

export const about = "user-space time per packet: dissect, mirror, hash, decide, count";
export const rounds = 9;

const MASK = 0xffff0000;
const SEED = 0xdeadbeef;
const BUCKETS = 256;
const PACKETS = 2_000_000;
const NS_PER_US = 1000;
const LEASE_MS = 3_600_000;
const UNKNOWN = MASK | 0;

/** Flows, and most nanoseconds for a packet. */
const SIZES = [
  { name: "1 k", flows: 2 ** 10, limit: null },
  { name: "100 k", flows: 2 ** 17, limit: 150 },
  { name: "1 M", flows: 2 ** 20, limit: 250 },
];

function workerOf(mode, flows, mirror) {
  const state = new SharedState(allocateShared(BUCKETS, 1));
  state.owned.fill(-1);
  writeLease(state.words, state.leaseAt, bootMs() + LEASE_MS);
  const capture = new MemoryCapture(flows, UNKNOWN);
  const hash = new BucketHash({ mode, seed: SEED, buckets: BUCKETS });
  const { batch } = capture;
  const mark = new MarkField(MASK);
  return new Worker({ index: 0, state, capture, batch, hash, mark, pickup: true, mirror });
}

/** CPU time of a packet in nanoseconds, the capture's stand-in taken off. */
function contestant(name, mode, flows) {
  const mirror = mode === "tuple" ? null : new FlowMirror(fullMirror(flows, SEED).mirror, SEED);
  const worker = workerOf(mode, flows, mirror);
  const empty = new MemoryCapture(flows, UNKNOWN);
  const timed = (action) => {
    const start = process.cpuUsage();
    for (let done = 0; done < PACKETS; done += BATCH_MAX) action();
    const { user, system } = process.cpuUsage(start);
    return ((user + system) * NS_PER_US) / PACKETS;
  };
  timed(() => worker.breathe());
  const run = () => {
    const stand = timed(() => empty.receive(empty.batch));
    return { packet: timed(() => worker.breathe()) - stand };
  };
  return { name, run };
}

export async function run({ rounds: times, onRound }) {
  const contestants = [
    contestant("tuple", "tuple", 2 ** 17),
    ...SIZES.map(({ name, flows }) => contestant(`source, ${name} flows`, "source", flows)),
  ];
  const rows = rowsOf(await alternate(contestants, times, onRound), "tuple");
  const targets = SIZES.filter(({ limit }) => limit !== null).map(({ name, limit }) => {
    const row = rows.find((each) => each.name === `source, ${name} flows`);
    return target(`${name} flows, ns`, row.values.packet.median, "at most", limit);
  });
  const notes = [`flows: ${SIZES.map(({ name, flows }) => `${name} = ${flows}`).join(", ")}`];
  return { reference: "tuple", units: { packet: "ns" }, rows, targets, notes };
}
