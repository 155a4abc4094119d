/**
 * What the garbage collector does to a node under load: pauses of the threads that speak to the
 * peers, and the intervals in which heartbeats arrive, by the clock of the peer's kernel.
 */
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { headerFault, readHeader } from "../dist/cluster/frame/header.js";
import { KIND } from "../dist/cluster/frame/kind.js";
import { deriveKey, unseal } from "../dist/cluster/transport/seal.js";
import { loadSecrets } from "../dist/config/secret.js";
import { Lab } from "../dist/demo/lab.js";
import { LAB_TIMING, nodeFiles } from "../dist/demo/node-process.js";
import { SYNC, syncAddress } from "../dist/demo/topology.js";
import { alternate, rowsOf } from "./kit/figures.mjs";
import { hit, openHttp, SERVER } from "./kit/http.mjs";
import { SHARDWALLS } from "./kit/nodes.mjs";
import { target } from "./kit/print.mjs";
import { compiled, needTools } from "./kit/programs.mjs";

export const about = "pauses of garbage collection, and heartbeats as they arrive, under load";
export const rounds = 3;
export const needsNamespaces = true;

const NODES = 2;
const CLUSTER = "lab";
const PRELOAD = new URL("kit/gc-notes.mjs", import.meta.url).href;

/** The last is a load of connections that are replicated. */
const LOADS = [
  { name: "idle", load: null },
  { name: "hits", load: { seconds: 5, connections: 100, holdMs: 0 } },
  { name: "connections kept for 2 s", load: { seconds: 5, connections: 3000, holdMs: 2000 } },
];
const IDLE_MS = 5000;

/** Starts the nodes with the notes in each of their threads. */
async function startNoted(lab, directory) {
  mkdirSync(directory);
  process.env.SHARDWALL_BENCH_GC = directory;
  process.env.NODE_OPTIONS = `--import ${PRELOAD}`;
  try {
    await SHARDWALLS[0].start(lab);
  } finally {
    delete process.env.SHARDWALL_BENCH_GC;
    delete process.env.NODE_OPTIONS;
  }
}

/** Pauses in milliseconds by name of the thread, of all nodes. */
function pausesIn(directory) {
  const found = {};
  for (const name of readdirSync(directory)) {
    const noted = JSON.parse(readFileSync(join(directory, name), "utf8"));
    found[noted.name] = [...(found[noted.name] ?? []), ...noted.pauses];
  }
  return found;
}

/** Collects the times at which heartbeats of the first node arrive at the second. */
async function hear(lab) {
  const secret = loadSecrets(nodeFiles(lab.directory, 0).secret).current;
  const argv = [compiled("arrivals"), SYNC.group, String(SYNC.port), syncAddress(2).split("/")[0]];
  const child = lab.spawn("node2", argv);
  child.stderr.resume();
  const lines = createInterface({ input: child.stdout });
  const times = [];
  await new Promise((resolve) => lines.once("line", resolve));
  lines.on("line", (line) => {
    const [time, hex] = line.split(" ");
    const bytes = Buffer.from(hex, "hex");
    if (headerFault(bytes) !== null) return;
    const { sender, incarnation } = readHeader(bytes);
    if (sender !== 1) return;
    const body = unseal(deriveKey(secret, CLUSTER, sender, incarnation), bytes);
    if (body?.[0] === KIND.heartbeat) times.push(Number(BigInt(time) / 1000n) / 1000);
  });
  return times;
}

async function measured(load) {
  const lab = Lab.open(NODES);
  try {
    await openHttp(lab);
    const directory = join(lab.directory, "gc");
    await startNoted(lab, directory);
    const times = await hear(lab);
    if (load === null) await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    else await hit(lab, load);
    const gaps = times.slice(1).map((time, at) => time - times[at]);
    if (gaps.length === 0) throw new Error("no heartbeat was heard");
    const pauses = pausesIn(directory);
    const of = (name) => pauses[name] ?? [];
    return {
      beats: Math.max(...gaps),
      control: Math.max(0, ...of("sw-control")),
      controls: of("sw-control").length,
      sync: Math.max(0, ...of("sw-sync")),
      syncs: of("sw-sync").length,
    };
  } finally {
    await lab.close();
  }
}

export async function run({ rounds: times, onRound }) {
  const versions = needTools([SERVER]);
  const contestants = LOADS.map(({ name, load }) => ({ name, run: () => measured(load) }));
  const rows = rowsOf(await alternate(contestants, times, onRound), LOADS[0].name);
  const latest = Math.max(...rows.map(({ values }) => values.beats.max));
  const limit = LAB_TIMING.failureMs / 2;
  return {
    reference: LOADS[0].name,
    units: {
      beats: "ms, longest between two heartbeats",
      control: "ms, longest pause of sw-control",
      controls: "pauses",
      sync: "ms, longest pause of sw-sync",
      syncs: "pauses",
    },
    rows,
    targets: [target("longest between two heartbeats, ms", latest, "at most", limit)],
    notes: [
      `heartbeats each ${LAB_TIMING.heartbeatMs} ms, failure after ${LAB_TIMING.failureMs} ms`,
      "pauses are of both nodes since their start",
      versions,
    ],
  };
}
