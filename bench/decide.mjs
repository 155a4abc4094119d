/**
 * What a packet costs in user space: the worker's own loop over packets in memory, with a capture
 * that is not a kernel. Dissect, look the flow up in the mirror, hash, decide, count.
 *
 * `source` asks the mirror for each packet; its packets come from all over the flows, so that it is
 * read where the cache does not hold it. `tuple` needs no mirror: the packet tells its bucket.
 */
import { FlowMirror } from "../dist/packet/flow/flow-mirror.js";
import { BATCH_MAX } from "../dist/platform/native.js";
import { alternate, rowsOf } from "./kit/figures.mjs";
import { fullMirror } from "./kit/mirror.mjs";
import { MemoryCapture } from "./kit/packets.mjs";
import { target } from "./kit/print.mjs";
import { SEED, UNKNOWN, workerOf } from "./kit/worker.mjs";

export const about = "user-space time per packet: dissect, mirror, hash, decide, count";
export const rounds = 9;

const PACKETS = 2_000_000;
const NS_PER_US = 1000;

/** Flows, and most nanoseconds for a packet. */
const SIZES = [
  { name: "1 k", flows: 2 ** 10, limit: null },
  { name: "100 k", flows: 2 ** 17, limit: 150 },
  { name: "1 M", flows: 2 ** 20, limit: 250 },
];

/** CPU time of a packet in nanoseconds, the capture's stand-in taken off. */
function contestant(name, mode, flows) {
  const mirror = mode === "tuple" ? null : new FlowMirror(fullMirror(flows, SEED).mirror, SEED);
  const worker = workerOf(mode, flows, mirror);
  const empty = new MemoryCapture(flows, UNKNOWN);
  const timed = (action) => {
    const start = process.cpuUsage();
    action();
    const { user, system } = process.cpuUsage(start);
    return ((user + system) * NS_PER_US) / PACKETS;
  };
  const judged = () => timed(() => worker.breatheFor(PACKETS));
  judged();
  const run = () => {
    const stand = timed(() => {
      for (let done = 0; done < PACKETS; done += BATCH_MAX) empty.receive(empty.batch);
    });
    return { packet: judged() - stand };
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
