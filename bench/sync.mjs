/**
 * What replication between two nodes costs for each connection: conntrackd beside ours, under the
 * same load. Both nodes handle half of the connections and replicate them to the other.
 */
import { Lab } from "../dist/demo/lab.js";
import { caches, startConntrackd } from "./kit/conntrackd.mjs";
import { threadMs } from "./kit/cpu.mjs";
import { alternate, rowsOf } from "./kit/figures.mjs";
import { hit, openHttp, SERVER } from "./kit/http.mjs";
import { CLUSTER_MATCH, SHARDWALLS, shardwallOf } from "./kit/nodes.mjs";
import { target } from "./kit/print.mjs";
import { needTools } from "./kit/programs.mjs";

export const about = "processor time, bytes and packets of replication for each connection";
export const rounds = 3;
export const needsNamespaces = true;

const NODES = 2;
const US_PER_MS = 1000;
const REPLICATION = ["sw-sync", "sw-control"];

/** Connections that end at once, as many as go; and such that live, as many for everybody. */
const LOADS = [
  { name: "hits", seconds: 3, connections: 100, holdMs: 0 },
  { name: "kept for 2 s", seconds: 3, connections: 3000, holdMs: 2000, warmMs: 15_000 },
];

const PEER = {
  name: "cluster match, conntrackd",
  async start(lab) {
    await CLUSTER_MATCH.start(lab);
    const daemons = await startConntrackd(lab, ["TCP", "SCTP", "DCCP"]);
    const pids = [...daemons.values()].map(({ pid }) => pid);
    const sum = (all) => Object.values(all).reduce((total, ms) => total + ms, 0);
    const known = () => lab.nodes.map((id) => sum(caches(lab, id)));
    return { pids, known, cpu: sum, rest: sum };
  },
};

/** A contestant of ours: its nodes, and how their cost is counted. */
const ours = ({ name, start }) => ({
  name,
  async start(lab) {
    await start(lab);
    const pids = lab.nodes.map((id) => lab.node(id).pid);
    const sumOf = (all, counts) =>
      Object.entries(all).reduce((total, [name, ms]) => total + (counts(name) ? ms : 0), 0);
    const known = () => Promise.all(lab.nodes.map(async (id) => (await lab.status(id)).sync.flows));
    const cpu = (all) => sumOf(all, (name) => REPLICATION.includes(name));
    const rest = (all) => sumOf(all, (name) => !name.startsWith("sw-packet"));
    return { pids, known, cpu, rest };
  },
});

const COLD = shardwallOf("shardwall, cold replicas", { sync: { replicas: "cold" } });

/** conntrackd's replicas are out of the kernel until a takeover, as cold ones are. */
const OURS = [SHARDWALLS[0], COLD].map(ours);

/** Bytes and packets that all nodes have sent on the link between them. */
function linkCounts(lab) {
  const read = (id, name) =>
    Number(lab.exec(`node${id}`, ["cat", `/sys/class/net/eth3/statistics/tx_${name}`]));
  const sum = (name) => lab.nodes.reduce((total, id) => total + read(id, name), 0);
  return { bytes: sum("bytes"), packets: sum("packets") };
}

async function measured({ name, start }, load) {
  const lab = Lab.open(NODES);
  try {
    await openHttp(lab);
    const { pids, known, cpu, rest } = await start(lab);
    const sample = async () => {
      const threads = pids.map(threadMs);
      const add = (of) => threads.reduce((total, all) => total + of(all), 0);
      return { cpu: add(cpu), rest: add(rest), ...linkCounts(lab), known: await known() };
    };
    const { hits, errors, seconds, samples } = await hit(lab, load, sample);
    if (errors > 0) throw new Error(`${name}: ${errors} errors beside ${hits} hits`);
    const [before, after] = samples;
    const each = (key) => (after[key] - before[key]) / hits;
    const most = Math.max(1, ...after.known);
    return {
      hits: hits / seconds,
      cpu: each("cpu") * US_PER_MS,
      rest: each("rest") * US_PER_MS,
      bytes: each("bytes"),
      packets: each("packets"),
      known: most,
      differ: (100 * (most - Math.min(...after.known))) / most,
    };
  } finally {
    await lab.close();
  }
}

const label = (name, load) => `${name}, ${load}`;

function targetsOf(rows, load) {
  const [cpu, bytes, hits] = ["cpu", "bytes", "hits"].map((key) => {
    const medians = rows.map(({ ratios }) => ratios[key].median);
    return key === "hits" ? Math.max(...medians) : Math.min(...medians);
  });
  const targets = [
    target(`${load}, CPU to conntrackd's`, cpu, "at most", 0.2),
    target(`${load}, bytes to conntrackd's`, bytes, "at most", 0.25),
  ];
  // Those that are kept are as many for both.
  if (load === LOADS[0].name)
    targets.push(target(`${load}, hits/s to conntrackd's`, hits, "at least", 2));
  return targets;
}

export async function run({ rounds: times, onRound }) {
  const versions = needTools([SERVER, "iptables", "arptables", "conntrackd"]);
  const rows = [];
  const targets = [];
  for (const load of LOADS) {
    const contestants = [PEER, ...OURS].map((each) => ({
      name: label(each.name, load.name),
      run: () => measured(each, load),
    }));
    const reference = label(PEER.name, load.name);
    const found = rowsOf(await alternate(contestants, times, onRound), reference);
    rows.push(...found);
    targets.push(...targetsOf(found.slice(1), load.name));
  }
  return {
    reference: PEER.name,
    units: {
      hits: "1/s",
      cpu: "us per connection, both nodes",
      rest: "us, all but packet workers",
      bytes: "B per connection",
      packets: "per connection",
      known: "flows at the end",
      differ: "% of them, between the nodes",
    },
    rows,
    targets,
    notes: [
      `cpu is conntrackd's, or that of ${REPLICATION.join(" and ")}; heartbeats are in the bytes`,
      "the targets are of the better configuration; what cold replicas cost at a takeover: takeover",
      "what ends within the window of 250 ms is not replicated by ours",
      versions,
    ],
  };
}
