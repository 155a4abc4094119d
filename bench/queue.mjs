/**
 * What an NFQUEUE costs with each program behind it: as many UDP datagrams as one sender makes for a
 * few seconds, each queued. Counted is what came out again.
 */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { processMs } from "./kit/cpu.mjs";
import { alternate, rowsOf } from "./kit/figures.mjs";
import * as pair from "./kit/pair.mjs";
import { target } from "./kit/print.mjs";
import { compiled, peerPackage } from "./kit/programs.mjs";

export const about = "packets per second through an NFQUEUE, and the program's CPU time for each";
export const rounds = 5;
export const needsNamespaces = true;

const SECONDS = 3;
const PACKETS_MAX = 5_000_000;
const PORT = 9000;
const SOURCE_PORTS = 64;
const FIRST_QUEUE = 10;
const NS_PER_MS = 1e6;
const SETTLE_MS = 300;
const NFQUEUE_VERSION = "0.3.2";

/** The floor: a C program in the same batches as ours. */
const FLOOR = "C, batches";
const OURS = "shardwall";
const PEER = "npm nfqueue";

function rules(queues) {
  const last = FIRST_QUEUE + queues - 1;
  const which = queues === 1 ? `num ${FIRST_QUEUE}` : `balance ${FIRST_QUEUE}:${last}`;
  return `*raw
-A PREROUTING -p udp --dport ${PORT} -j NOTRACK
COMMIT
*mangle
-A PREROUTING -p udp --dport ${PORT} -j MARK --set-mark 0xffff0000
-A PREROUTING -p udp --dport ${PORT} -j NFQUEUE --queue-${which}
-A INPUT -p udp --dport ${PORT} -j DROP
COMMIT
`;
}

function passed() {
  const list = pair.inside(pair.RECEIVER, ["iptables", "-t", "mangle", "-nvxL", "INPUT"]);
  return Number(list.split("\n")[2].trim().split(/\s+/)[0]);
}

/** Starts the program, floods, and gives what came through. */
async function measure(flood, argvs, queues) {
  pair.inside(pair.RECEIVER, ["iptables-restore"], rules(queues));
  const programs = argvs.map((argv) => pair.spawnInside(pair.RECEIVER, argv));
  try {
    for (const program of programs) await pair.untilReady(program, argvs[0].join(" "));
    const before = programs.map(({ pid }) => processMs(pid));
    const argv = [pair.RECEIVER_ADDRESS, PORT, PACKETS_MAX, SECONDS, SOURCE_PORTS].map(String);
    const start = performance.now();
    const sent = Number(pair.inside(pair.SENDER, [flood, ...argv]));
    const seconds = (performance.now() - start) / 1000;
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const used = programs.reduce((sum, { pid }, at) => sum + processMs(pid) - before[at], 0);
    const count = passed();
    return {
      packets: count / seconds / 1000,
      cpu: (used * NS_PER_MS) / count,
      lost: (100 * (sent - count)) / sent,
    };
  } finally {
    for (const program of programs) {
      program.stdin.end();
      if (program.exitCode === null) await once(program, "exit");
    }
  }
}

function contestants(queues, notes) {
  const flood = compiled("flood");
  const loop = compiled("queue_loop");
  const here = (name) => new URL(name, import.meta.url).pathname;
  const node = process.execPath;
  const numbers = Array.from({ length: queues }, (_, index) => String(FIRST_QUEUE + index));
  const list = [
    { name: FLOOR, argvs: numbers.map((number) => [loop, number, "256"]) },
    { name: "C, one packet a call", argvs: numbers.map((number) => [loop, number, "1"]) },
    { name: OURS, argvs: [[node, here("kit/queue-workers.mjs"), numbers[0], String(queues)]] },
  ];
  const path = peerPackage("nfqueue", NFQUEUE_VERSION, (why) => notes.push(why));
  if (path !== null) {
    const argv = [node, here("kit/queue-nfqueue.mjs"), path, numbers[0], String(queues)];
    list.push({ name: PEER, argvs: [argv] });
  }
  const label = (name) => `${name}, ${queues} queue${queues > 1 ? "s" : ""}`;
  return list.map(({ name, argvs }) => ({
    name: label(name),
    run: () => measure(flood, argvs, queues),
  }));
}

export async function run({ rounds: times, onRound }) {
  if (spawnSync("iptables", ["-V"]).error)
    throw new Error("needs iptables: apt-get install iptables");
  const notes = [];
  const rows = [];
  const targets = [];
  pair.openPair();
  for (const queues of [1, 2]) {
    const floor = `${FLOOR}, ${queues} queue${queues > 1 ? "s" : ""}`;
    const found = rowsOf(await alternate(contestants(queues, notes), times, onRound), floor);
    rows.push(...found);
    const ratio = (name) => found.find((row) => row.name.startsWith(name))?.ratios.packets.median;
    targets.push(
      target(`${queues} queue(s), packets/s to the C loop's`, ratio(OURS), "at least", 0.95),
    );
    if (ratio(PEER) === undefined) continue;
    targets.push(
      target(
        `${queues} queue(s), packets/s to npm nfqueue's`,
        ratio(OURS) / ratio(PEER),
        "at least",
        5,
      ),
    );
  }
  pair.closePair();
  const units = { packets: "k/s", cpu: "ns per packet", lost: "% of what was sent" };
  return { reference: FLOOR, units, rows, targets, notes };
}
