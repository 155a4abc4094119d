/**
 * Long transfers through one node: few connections, large packets. What is asked about each packet
 * costs by the packet, so it counts whether the kernel may leave them whole (GSO, GRO).
 */
import { createInterface } from "node:readline";
import { Lab } from "../dist/demo/lab.js";
import { OUTSIDE } from "../dist/demo/topology.js";
import { busyMs, idleShare } from "./kit/cpu.mjs";
import { alternate, rowsOf } from "./kit/figures.mjs";
import { drained } from "./kit/http.mjs";
import { CLUSTER_MATCH, SHARDWALLS, shardwallOf } from "./kit/nodes.mjs";
import { untilReady } from "./kit/pair.mjs";
import { target } from "./kit/print.mjs";
import { compiled, needTools } from "./kit/programs.mjs";

export const about = "bytes per second of long transfers through one node, and what they cost";
export const rounds = 3;
export const needsNamespaces = true;

const NODES = 1;
const PORT = 8100;
const CONNECTIONS = 4;
const WARM_MS = 500;
const MS = 2000;
const BITS_PER_GIGABIT = 1e9;
const BYTES_PER_GIGABYTE = 1e9;
const EVERY_PACKET = "shardwall, every packet queued";

const CONTESTANTS = [
  CLUSTER_MATCH,
  ...SHARDWALLS,
  shardwallOf(`${EVERY_PACKET}, without GSO`, { dataplane: { offload: "none", gso: false } }),
];

async function measured({ start }) {
  const idle = await idleShare();
  const lab = Lab.open(NODES);
  try {
    const server = lab.spawn("server", [compiled("stream"), "serve", OUTSIDE.server4, `${PORT}`]);
    await untilReady(server, "the server of streams");
    drained(server);
    await start(lab);
    const argv = ["take", OUTSIDE.server4, PORT, CONNECTIONS, WARM_MS, MS].map(String);
    const client = lab.spawn("client", [compiled("stream"), ...argv]);
    let said = "";
    client.stderr.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
    const lines = createInterface({ input: client.stdout })[Symbol.asyncIterator]();
    await lines.next();
    const busy = busyMs();
    const { value } = await lines.next();
    const used = busyMs() - busy;
    if (value === undefined) throw new Error(`the transfer ended: ${said}`);
    const { bytes, ms } = JSON.parse(value);
    return {
      rate: (bytes * 8) / BITS_PER_GIGABIT / (ms / 1000),
      cpu: (used - idle * ms) / (bytes / BYTES_PER_GIGABYTE),
    };
  } finally {
    await lab.close();
  }
}

export async function run({ rounds: times, onRound }) {
  const versions = needTools(["iptables", "arptables"]);
  const contestants = CONTESTANTS.map((each) => ({ name: each.name, run: () => measured(each) }));
  const rows = rowsOf(await alternate(contestants, times, onRound), CLUSTER_MATCH.name);
  const { ratios } = rows.find(({ name }) => name === SHARDWALLS[0].name);
  return {
    reference: CLUSTER_MATCH.name,
    units: { rate: "Gbit/s", cpu: "ms per GB, whole machine" },
    rows,
    targets: [target("bytes/s to the cluster match's", ratios.rate.median, "at least", 0.95)],
    notes: [
      `${CONNECTIONS} connections; client, server and node share the machine`,
      "the target is our own: established flows do not leave the kernel",
      versions,
    ],
  };
}
