/**
 * What a packet of another node's bucket costs a node that is otherwise idle. Of two nodes the second
 * gets nothing (the switch does not flood to it), so that all processor time beyond the sender's is
 * the first one's. The sender's is measured by a flood that no node gets.
 */

import { Lab } from "../dist/demo/lab.js";
import { INSIDE, OUTSIDE, portOf } from "../dist/demo/topology.js";
import { busyMs, idleShare } from "./kit/cpu.mjs";
import { alternate, rowsOf } from "./kit/figures.mjs";
import { asLines, asList, clusterMatchNode, flowsInto, TCP, UDP } from "./kit/flows.mjs";
import { addClients, CLIENTS, drained } from "./kit/http.mjs";
import { CLUSTER_MATCH, SHARDWALLS } from "./kit/nodes.mjs";
import { untilReady } from "./kit/pair.mjs";
import { target } from "./kit/print.mjs";
import { compiled, needTools } from "./kit/programs.mjs";

export const about = "processor time of a node for a packet that another node handles";
export const rounds = 3;
export const needsNamespaces = true;

const NODES = 2;
const PORT = 9000;
const PACKETS = 150_000;
const PER_SECOND = 100_000;
const FLOWS = 100;
const NS_PER_MS = 1e6;
const LIMIT = 0.65;
/** What a sender's flood may lose to full queues between sender and node, of all packets. */
const LOSS_MAX = 0.01;

/** The first node's half of 256 buckets, and the second's. */
const OWN = [[0, 127]];
const FOREIGN = [[128, 255]];

/** Name, kind of packet, and how many of 100 flows are foreign. */
const LOADS = [
  { name: "UDP", kind: "udp", foreign: FLOWS },
  { name: "SYN", kind: "syn", foreign: FLOWS },
  { name: "UDP, 50 % foreign", kind: "udp", foreign: FLOWS / 2 },
  { name: "UDP, 1 % foreign", kind: "udp", foreign: FLOWS / 100 },
];

/** Foreign for the cluster match by address, for shardwall by address and port: the same flows. */
function flowsOf({ kind, foreign }) {
  const protocol = kind === "syn" ? TCP : UDP;
  const of = (node) => CLIENTS.filter((each) => clusterMatchNode(each, NODES) === node).slice(0, 8);
  const aim = { protocol, port: PORT };
  return {
    own: foreign < FLOWS ? flowsInto(OWN, FLOWS - foreign, { ...aim, addresses: of(1) }) : [],
    foreign: flowsInto(FOREIGN, foreign, { ...aim, addresses: of(2) }),
  };
}

/** The second node, or both, get nothing more of what the switch floods. */
function silence(lab, nodes) {
  for (const id of nodes) {
    const off = ["flood", "off", "mcast_flood", "off"];
    lab.exec("switch", ["bridge", "link", "set", "dev", portOf("inside", id), ...off]);
  }
}

/** Own flows are answered once, as those of a service are; the rest of the flood is not. */
async function answerOnce(lab, flows) {
  const udp = compiled("udp");
  const echo = lab.spawn("server", [udp, "echo", String(PORT)]);
  await untilReady(echo, "udp echo");
  drained(echo);
  const argv = [udp, "fill", OUTSIDE.server4, String(PORT)];
  if (flows.length > 0) lab.exec("client", argv, asLines(flows));
  echo.kill("SIGKILL");
  const drop = `table ip bench {
  chain in {
    type filter hook prerouting priority -400
    meta l4proto { tcp, udp } th dport ${PORT} drop
  }
}
`;
  lab.exec("server", ["nft", "-f", "-"], drop);
}

const received = (lab) =>
  Number(lab.exec("node1", ["cat", "/sys/class/net/eth1/statistics/rx_packets"]));

/** @returns nanoseconds of all processors for each packet, the sender's included */
async function flood(lab, idle, load, flows) {
  const all = asList([...flows.own, ...flows.foreign]);
  const count = [PACKETS, (3 * PACKETS) / PER_SECOND, all, PER_SECOND, load.kind];
  const argv = [compiled("flood"), OUTSIDE.server4, PORT, ...count].map(String);
  const before = received(lab);
  const [busy, start] = [busyMs(), performance.now()];
  const child = lab.spawn("client", argv);
  child.stderr.resume();
  let said = "";
  for await (const text of child.stdout.setEncoding("utf8")) said += text;
  const used = busyMs() - busy - idle * (performance.now() - start);
  const sent = Number(said);
  if (!(sent > 0)) throw new Error("the flood of the benchmark did not run");
  return { each: (used * NS_PER_MS) / sent, arrived: (received(lab) - before) / sent };
}

async function measured({ start, isRouter = true }) {
  const idle = await idleShare();
  const lab = Lab.open(NODES);
  const figures = {};
  try {
    addClients(lab);
    await start(lab);
    silence(lab, [2]);
    const loads = LOADS.filter(({ foreign }) => isRouter || foreign === FLOWS);
    const flows = new Map(loads.map((load) => [load, flowsOf(load)]));
    // Each list of own flows begins with the shorter ones.
    const own = [...flows.values()].map((each) => each.own).sort((a, b) => b.length - a.length);
    await answerOnce(lab, own[0]);
    for (const load of loads) {
      const { each, arrived } = await flood(lab, idle, load, flows.get(load));
      if (arrived < 1 - LOSS_MAX) throw new Error(`only ${arrived} of the flood arrived`);
      figures[load.name] = each;
    }
    silence(lab, [1]);
    const senders = {};
    for (const load of loads) {
      senders[load.kind] ??= (await flood(lab, idle, load, flows.get(load))).each;
      figures[load.name] -= senders[load.kind];
    }
    return figures;
  } finally {
    await lab.close();
  }
}

/** A node without a rule: what the interface and the kernel's refusal of the frame cost anyway. */
const BARE = { name: "no rules", start: startBare, isRouter: false };

async function startBare(lab) {
  const [address] = INSIDE.cluster[0].split("/");
  lab.exec("client", ["ip", "neighbour", "add", address, "lladdr", INSIDE.mac, "dev", "eth0"]);
}

export async function run({ rounds: times, onRound }) {
  const versions = needTools(["iptables", "arptables"]);
  const contestants = [CLUSTER_MATCH, ...SHARDWALLS, BARE].map((each) => ({
    name: each.name,
    run: () => measured(each),
  }));
  const rows = rowsOf(await alternate(contestants, times, onRound), CLUSTER_MATCH.name);
  const targets = LOADS.slice(0, 2).map(({ name }) => {
    const ratios = rows.filter((row) => SHARDWALLS.some((each) => each.name === row.name));
    const best = Math.min(...ratios.map((row) => row.ratios[name].median));
    return target(`foreign ${name}, to the cluster match`, best, "at most", LIMIT);
  });
  return {
    reference: CLUSTER_MATCH.name,
    units: Object.fromEntries(LOADS.map(({ name }) => [name, "ns per packet"])),
    rows,
    targets,
    notes: [
      `${PER_SECOND} packets/s; the sender's own time is taken off, what receiving costs is not`,
      "own flows of the mixes were answered once before; targets are of the best configuration",
      versions,
    ],
  };
}
