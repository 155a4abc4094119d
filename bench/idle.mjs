/**
 * What a node costs that has nothing to do: processor time of its threads per second, which is the
 * price of ticks, heartbeats and lease, whatever the load.
 */
import { Lab } from "../dist/demo/lab.js";
import { childrenMs, mainMs, threadMs } from "./kit/cpu.mjs";
import { alternate, rowsOf } from "./kit/figures.mjs";
import { SHARDWALLS } from "./kit/nodes.mjs";

export const about = "processor time per second of a node that has nothing to do, by its threads";
export const rounds = 3;
export const needsNamespaces = true;

const SIZES = [1, 3, 8];
/** What the nodes do when they start is over by then. */
const REST_MS = 3000;
const MEASURED_MS = 10_000;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Milliseconds used so far: all of it, and what each of the threads has of it. */
function used(pid) {
  const threads = threadMs(pid);
  return {
    all: Object.values(threads).reduce((sum, ms) => sum + ms, childrenMs(pid)),
    control: threads["sw-control"],
    sync: threads["sw-sync"],
    main: mainMs(pid),
    packet: threads["sw-packet-0"],
    programs: childrenMs(pid),
  };
}

async function measured(nodes) {
  const lab = Lab.open(nodes);
  try {
    await SHARDWALLS[0].start(lab);
    await pause(REST_MS);
    const pids = lab.nodes.map((id) => lab.node(id).pid);
    const [before, start] = [pids.map(used), performance.now()];
    await pause(MEASURED_MS);
    const seconds = (performance.now() - start) / 1000;
    const after = pids.map(used);
    const perNode = (key) =>
      after.reduce((sum, each, at) => sum + each[key] - before[at][key], 0) / nodes / seconds;
    return Object.fromEntries(Object.keys(before[0]).map((key) => [key, perNode(key)]));
  } finally {
    await lab.close();
  }
}

export async function run({ rounds: times, onRound }) {
  const contestants = SIZES.map((nodes) => ({
    name: `${nodes} node${nodes > 1 ? "s" : ""}`,
    run: () => measured(nodes),
  }));
  const rows = rowsOf(await alternate(contestants, times, onRound), contestants[0].name);
  return {
    reference: contestants[0].name,
    units: {
      all: "ms/s",
      control: "ms/s, sw-control",
      sync: "ms/s, sw-sync",
      main: "ms/s",
      packet: "ms/s, sw-packet-0",
      programs: "ms/s, programs it runs",
    },
    rows,
    targets: [],
    notes: ["median of the nodes' mean; nodes share the machine; what interrupts do is not in it"],
  };
}
