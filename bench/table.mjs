/**
 * What a full table of flows costs a node: memory, CPU for each flow that is born, and the time
 * until a newcomer has it.
 *
 *     npm run build && node bench/table.mjs [--flows N] [--per-second N] [--json]
 *
 * As root. Makes the flows in the kernel of a node that owns all buckets, then starts a second node
 * and waits until it has them. CPU times are those of the whole process.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ending } from "../dist/demo/children.js";
import { unrest } from "../dist/demo/convergence.js";
import { Lab } from "../dist/demo/lab.js";
import { bootMs } from "../dist/platform/clock.js";

const FILL = fileURLToPath(new URL("table/fill.mjs", import.meta.url));
const OLD = 1;
const NEW = 2;
const WAIT_MS_MAX = 180_000;
/** Clock ticks of /proc in a second (sysconf(_SC_CLK_TCK) on all Linux). */
const TICKS = 100;
const MIB = 1 << 20;

const { values } = parseArgs({
  options: {
    flows: { type: "string", default: "260000" },
    "per-second": { type: "string", default: "10000" },
    json: { type: "boolean", default: false },
  },
});
const flows = Number(values.flows);
const perSecond = Number(values["per-second"]);
if (!(flows > 0 && perSecond > 0)) {
  console.error("--flows and --per-second: numbers above 0");
  process.exit(2);
}

const numberIn = (file, pattern) => Number(pattern.exec(readFileSync(file, "utf8"))?.[1] ?? 0);

/** Milliseconds of CPU that a process has had. */
function cpuMs(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const [user, system] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13);
  return ((Number(user) + Number(system)) * 1000) / TICKS;
}

/** Bytes of the kernel's flow entries, of all namespaces; without what is allocated beside them. */
function entryBytes() {
  const [, objects, size] = /^nf_conntrack +\d+ +(\d+) +(\d+)/m.exec(
    readFileSync("/proc/slabinfo", "utf8"),
  );
  return Number(objects) * Number(size);
}

const slabBytes = () => numberIn("/proc/meminfo", /^Slab: +(\d+)/m) * 1024;

/** What a node costs now. */
async function costOf(lab, id) {
  const { pid } = lab.node(id);
  const { sync } = await lab.status(id);
  const rssBytes = numberIn(`/proc/${pid}/status`, /^VmRSS:\s+(\d+)/m) * 1024;
  return { cpuMs: cpuMs(pid), rssBytes, heapBytes: sync.heapBytes, overruns: sync.overruns };
}

function knows(lab, id, count) {
  const what = `${count} flows at node ${id}`;
  const isThere = async () => {
    const { sync } = await lab.status(id);
    return sync?.isSynced && sync.flows === count && sync.backlog === 0;
  };
  return lab.waitFor(what, isThere, WAIT_MS_MAX);
}

/** Runs a step; gives what it cost each node. */
async function costs(lab, ids, step) {
  const before = await Promise.all(ids.map((id) => costOf(lab, id)));
  const kernel = [entryBytes(), slabBytes()];
  await step();
  const after = await Promise.all(ids.map((id) => costOf(lab, id)));
  return {
    entryBytes: entryBytes() - kernel[0],
    slabBytes: slabBytes() - kernel[1],
    nodes: ids.map((_, at) => ({
      cpuMsPer1000: ((after[at].cpuMs - before[at].cpuMs) * 1000) / flows,
      rssBytes: after[at].rssBytes,
      rssBytesBefore: before[at].rssBytes,
      heapBytes: after[at].heapBytes,
      overruns: after[at].overruns,
    })),
  };
}

const atRest = (lab, ids) =>
  lab.waitFor("cluster at rest", async () => unrest(await lab.statuses(), ids) === null, 30_000);

/** @returns how many flows the kernel refused */
async function fill(lab) {
  const argv = [process.execPath, FILL, String(flows), String(perSecond)];
  const child = lab.spawn(`node${OLD}`, argv);
  let told = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      told += text;
    });
  }
  if ((await ending(child)).code !== 0) throw new Error(told);
  return Number(told);
}

async function measure(lab) {
  lab.startNode(OLD);
  await atRest(lab, [OLD]);
  const born = await costs(lab, [OLD], async () => {
    const refused = await fill(lab);
    if (refused > 0) throw new Error(`the kernel refused ${refused} flows: nf_conntrack_max?`);
    await knows(lab, OLD, flows);
  });
  const start = bootMs();
  lab.startNode(NEW);
  const isThere = () =>
    lab.status(NEW).then(
      ({ sync }) => sync !== null,
      () => false,
    );
  await lab.waitFor("answer of the newcomer", isThere);
  const moved = await costs(lab, [OLD, NEW], () => knows(lab, NEW, flows));
  const syncMs = Math.round(bootMs() - start);
  await atRest(lab, lab.nodes);
  const restMs = Math.round(bootMs() - start);
  return { flows, born, moved, syncMs, restMs };
}

function print({ born, moved, syncMs, restMs }) {
  const mib = (bytes) => `${(bytes / MIB).toFixed(1)} MiB`;
  const each = (bytes) => `${mib(bytes)}, ${Math.round(bytes / flows)} bytes a flow`;
  const cpu = ({ cpuMsPer1000 }) => `${cpuMsPer1000.toFixed(1)} ms of CPU per 1000 flows`;
  const [teller] = born.nodes;
  const [source, newcomer] = moved.nodes;
  const lines = [
    ["flows", `${flows}, made at ${perSecond} a second`],
    ["kernel entries", each(born.entryBytes)],
    ["kernel slab, all", each(born.slabBytes)],
    ["node that owns them", `RSS ${mib(teller.rssBytes)}, ${mib(teller.rssBytesBefore)} before`],
    ["  heap of replication", each(teller.heapBytes)],
    ["  birth", `${cpu(teller)}, ${teller.overruns} losses of events`],
    ["  telling the newcomer", cpu(source)],
    ["newcomer", `RSS ${mib(newcomer.rssBytes)}`],
    ["  heap of replication", each(newcomer.heapBytes)],
    ["  taking them", cpu(newcomer)],
    ["  in sync after", `${syncMs} ms from its start`],
    ["  its share after", `${restMs} ms from its start`],
  ];
  for (const [name, text] of lines) console.log(`${name.padEnd(24)}${text}`);
}

const lab = Lab.open(2);
try {
  const result = await measure(lab);
  if (values.json) console.log(JSON.stringify(result));
  else print(result);
} finally {
  await lab.close();
}
