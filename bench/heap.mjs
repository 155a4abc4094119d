/** Whether a packet worker allocates: heap and garbage collections over ten million packets. */
import { PerformanceObserver } from "node:perf_hooks";
import { setImmediate } from "node:timers/promises";
import { FlowMirror } from "../dist/packet/flow/flow-mirror.js";
import { alternate, rowsOf } from "./kit/figures.mjs";
import { fullMirror } from "./kit/mirror.mjs";
import { target } from "./kit/print.mjs";
import { SEED, workerOf } from "./kit/worker.mjs";

export const about = "heap growth and garbage collections over 10 million packets of 128 k flows";
export const rounds = 3;

const PACKETS = 10_000_000;
/** The compiler's own allocations end here. */
const WARM_PACKETS = 2_000_000;
const FLOWS = 2 ** 17;
/** Bytes for each packet: the smallest object has twelve. A batch of 256 may have a few. */
const BYTES_MAX = 1;

function contestant(mode, mirror) {
  const worker = workerOf(mode, FLOWS, mirror);
  worker.breatheFor(WARM_PACKETS);
  const run = async () => {
    let collections = 0;
    const observer = new PerformanceObserver((list) => {
      collections += list.getEntries().length;
    });
    observer.observe({ entryTypes: ["gc"] });
    const before = process.memoryUsage().heapUsed;
    worker.breatheFor(PACKETS);
    const grown = process.memoryUsage().heapUsed - before;
    await setImmediate();
    observer.disconnect();
    return { bytes: grown / PACKETS, collections };
  };
  return { name: mode, run };
}

export async function run({ rounds: times, onRound }) {
  const mirror = new FlowMirror(fullMirror(FLOWS, SEED).mirror, SEED);
  const contestants = [contestant("tuple", null), contestant("source", mirror)];
  const rows = rowsOf(await alternate(contestants, times, onRound), null);
  const worst = (key) => Math.max(...rows.map(({ values }) => values[key].max));
  return {
    reference: null,
    units: { bytes: "B of heap per packet", collections: "garbage collections" },
    rows,
    targets: [
      target("bytes of heap per packet", worst("bytes"), "at most", BYTES_MAX),
      target("garbage collections", worst("collections"), "at most", 0),
    ],
    notes: [],
  };
}
