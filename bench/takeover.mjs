/**
 * How long a client waits when a node dies, by the number of flows that its successor has of it.
 *
 * ours       SIGKILL; a probe in a flow of the dead node, and one that opens a new flow each time.
 *            Warm replicas are in the successor's kernel beforehand; cold ones are put there first
 * peer       keepalived and conntrackd; the active node's cables are pulled. Then `conntrackd -c`
 *            puts the flows into the kernel: until its end, they are not known there
 */

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Lab } from "../dist/demo/lab.js";
import { LAB_TIMING } from "../dist/demo/node-process.js";
import { cablesOf, OUTSIDE } from "../dist/demo/topology.js";
import { asking, caches, startConntrackd } from "./kit/conntrackd.mjs";
import { alternate, rowsOf } from "./kit/figures.mjs";
import { asLines, flowsInto, UDP } from "./kit/flows.mjs";
import { addClients, CLIENTS, drained } from "./kit/http.mjs";
import { startKeepalived, untilMaster } from "./kit/keepalived.mjs";
import { SHARDWALLS } from "./kit/nodes.mjs";
import { untilReady } from "./kit/pair.mjs";
import { target } from "./kit/print.mjs";
import { compiled, needTools } from "./kit/programs.mjs";

export const about = "milliseconds without an answer when a node dies, by the flows it had";
export const rounds = 3;
export const needsNamespaces = true;

const SIZES = { "1 k": 1000, "10 k": 10_000, "100 k": 100_000 };
const VICTIM = 1;
const SURVIVOR = 2;
const PORT = 9000;
const FLOW_TIMEOUT_S = 600;
const REPLICATED_MS_MAX = 60_000;
/** Probes: each so often, for so long; the node dies after the first part of it. */
const SAME_FLOW_MS = 2;
const NEW_FLOW_MS = 10;
const BEFORE_MS = 700;
const OURS_MS = 3000;
const COLD_MS = 8000;
const VRRP_MS = 7000;
/** Until the kernels have forgotten what the nodes' start moved around. */
const GONE_MS = 3000;
const STALL_MS_MAX = LAB_TIMING.failureMs + 100;

const EVERYTHING = [[0, 255]];
const WARM = { name: "warm replicas", ms: OURS_MS, overrides: {} };
const COLD = { name: "cold replicas", ms: COLD_MS, overrides: { sync: { replicas: "cold" } } };

/** Flows to fill the table with, and of the two probes; they differ in ports. */
function flowsOf(range, size) {
  const aim = { protocol: UDP, port: PORT };
  const probes = COLD_MS / NEW_FLOW_MS + 1;
  return {
    table: flowsInto(range, size, { ...aim, addresses: CLIENTS }),
    probes: flowsInto(range, probes, { ...aim, addresses: [CLIENTS[0]], first: 40_000 }),
  };
}

/** A lab with a server that answers, and nodes that do not forget an idle flow meanwhile. */
async function openLab() {
  const lab = Lab.open(2);
  addClients(lab);
  for (const id of lab.nodes) {
    for (const name of ["udp_timeout", "udp_timeout_stream"]) {
      const file = `/proc/sys/net/netfilter/nf_conntrack_${name}`;
      lab.exec(`node${id}`, ["sh", "-e"], `echo ${FLOW_TIMEOUT_S} >${file}`);
    }
  }
  const echo = lab.spawn("server", [compiled("udp"), "echo", String(PORT)]);
  await untilReady(echo, "udp echo");
  drained(echo);
  return lab;
}

const udp = (action, ...more) =>
  [compiled("udp"), action, OUTSIDE.server4, PORT, ...more].map(String);

/** Each flow gets an answer through the cluster. */
async function fill(lab, flows) {
  const child = lab.spawn("client", udp("fill"));
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
  child.stdin.end(asLines(flows));
  let answered = "";
  for await (const text of child.stdout.setEncoding("utf8")) answered += text;
  if (Number(answered) !== flows.length)
    throw new Error(`${answered.trim()} of ${flows.length} flows have an answer ${said}`);
}

/** Starts a probe; `found` resolves with what it saw. */
async function probe(lab, flows, everyMs, ms) {
  const child = lab.spawn("client", udp("probe", everyMs, Math.floor(ms / everyMs)));
  child.stderr.resume();
  child.stdin.end(asLines(flows));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  return { found: lines.next().then(({ value }) => JSON.parse(value)) };
}

/** @returns milliseconds of the longest stall of each probe while `kill` happens */
async function stalls(lab, probes, ms, kill) {
  const same = await probe(lab, probes.slice(0, 1), SAME_FLOW_MS, ms);
  const fresh = await probe(lab, probes.slice(1), NEW_FLOW_MS, ms);
  await new Promise((resolve) => setTimeout(resolve, BEFORE_MS));
  await kill();
  const found = [await same.found, await fresh.found];
  if (found.some(({ lastMs }) => lastMs > ms / 4)) throw new Error("the service did not come back");
  return { stall: found[0].stallMs, fresh: found[1].stallMs };
}

async function ours(size, { ms, overrides }) {
  const lab = await openLab();
  try {
    await SHARDWALLS[0].start(lab, overrides);
    const { range } = await lab.status(VICTIM);
    const { table, probes } = flowsOf(range, size);
    await new Promise((resolve) => setTimeout(resolve, GONE_MS));
    const before = slabBytes();
    await fill(lab, table);
    let sync;
    const has = async () => {
      sync = (await lab.status(SURVIVOR)).sync;
      return sync.flows >= size && sync.backlog === 0;
    };
    await lab.waitFor("replicated flows", has, REPLICATED_MS_MAX).catch((error) => {
      const { flows, backlog, driftedBuckets, counters } = sync;
      const found = JSON.stringify({ flows, backlog, driftedBuckets, counters });
      throw new Error(`${error.message}: the survivor has ${found}`, { cause: error });
    });
    // Flows that moved meanwhile would not be the victim's.
    if (JSON.stringify((await lab.status(VICTIM)).range) !== JSON.stringify(range))
      throw new Error("the ranges moved while the table was filled: the machine is too busy");
    const slab = (slabBytes() - before) / size;
    const found = await stalls(lab, probes, ms, () => lab.node(VICTIM).kill("SIGKILL"));
    return { ...found, ...installed(lab), slab };
  } finally {
    await lab.close();
  }
}

async function peer(size) {
  const lab = await openLab();
  try {
    await startKeepalived(lab);
    await startConntrackd(lab, ["TCP", "UDP"]);
    const { table, probes } = flowsOf(EVERYTHING, size);
    await fill(lab, table);
    const has = () => caches(lab, SURVIVOR).external >= size;
    await lab.waitFor("replicated flows", has, REPLICATED_MS_MAX);
    const found = await stalls(lab, probes, VRRP_MS, () => {
      for (const cable of cablesOf(lab.mode)) lab.setCable(VICTIM, cable, "down");
    });
    await untilMaster(lab, SURVIVOR);
    const start = performance.now();
    lab.exec(`node${SURVIVOR}`, asking(lab, SURVIVOR, "-c"));
    return { ...found, commit: performance.now() - start };
  } finally {
    await lab.close();
  }
}

/** @throws Error where the kernel's table has no room; it can be set in the initial namespace only */
function checkRoom() {
  const max = Number(readFileSync("/proc/sys/net/netfilter/nf_conntrack_max", "utf8"));
  const needed = 1.2 * Math.max(...Object.values(SIZES));
  if (max < needed) throw new Error(`needs sysctl net.netfilter.nf_conntrack_max=${needed}`);
}

/** How long the survivor's last claimed bucket waited for its flows; nothing where none did. */
function installed(lab) {
  const line = lab.node(SURVIVOR).log.findLast((each) => each.includes('"event":"installed"'));
  return line === undefined ? {} : { install: JSON.parse(line).waitedMs };
}

/** Bytes of a flow in the kernel's table, extensions not counted; see slabinfo(5). */
function kernelBytes() {
  const line = readFileSync("/proc/slabinfo", "utf8").match(/^nf_conntrack\s+\d+\s+\d+\s+(\d+)/m);
  return line === null ? "unknown" : line[1];
}

/** Kernel memory of all slabs that cannot be given back, those of flows among them; see proc(5). */
function slabBytes() {
  const [, kilobytes] = readFileSync("/proc/meminfo", "utf8").match(/^SUnreclaim:\s+(\d+) kB/m);
  return Number(kilobytes) * 1024;
}

export async function run({ rounds: times, onRound }) {
  const versions = needTools(["iptables", "conntrackd", "keepalived"]);
  checkRoom();
  const contestants = Object.entries(SIZES).flatMap(([name, size]) => [
    ...[WARM, COLD].map((kind) => ({
      name: `${kind.name}, ${name} flows`,
      run: () => ours(size, kind),
    })),
    { name: `keepalived, conntrackd, ${name} flows`, run: () => peer(size) },
  ]);
  const reference = contestants[0].name;
  const rows = rowsOf(await alternate(contestants, times, onRound), reference);
  const targets = Object.keys(SIZES).map((name) => {
    const row = rows.find((each) => each.name === `${WARM.name}, ${name} flows`);
    const worst = Math.max(row.values.stall.median, row.values.fresh.median);
    return target(`${name} flows, ms`, worst, "at most", STALL_MS_MAX);
  });
  return {
    reference,
    units: {
      stall: "ms, same flow",
      fresh: "ms, new flows",
      install: "ms until the last bucket is leased",
      commit: "ms of conntrackd -c",
      slab: "B of kernel memory per flow, both nodes",
    },
    rows,
    targets,
    notes: [
      `failureMs ${LAB_TIMING.failureMs}; VRRP advertisements each second, its default`,
      `a flow takes ${kernelBytes()} bytes of kernel memory on each node that knows it`,
      versions,
    ],
  };
}
