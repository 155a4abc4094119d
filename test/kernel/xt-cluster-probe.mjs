/**
 * Runs inside a fresh network namespace and asks the kernel's `cluster` match where addresses go.
 *
 *     stdin   { total: [..], seeds: [..], sources4: [..], sources6: [..] }
 *     stdout  { rows: [{ source, seed, total, node }] }, node 0 where no rule matched
 *
 * Every source address sends one UDP datagram per group of rule sets, told apart by the destination
 * port. In each group, rules write the node that matched into one six-bit slot of the connection mark
 * per rule set, so one conntrack entry answers for five of them. The namespace ends with this process,
 * and everything made here ends with it.
 */
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";

const FIRST_PORT = 7000;
const SLOT_BITS = 6;
const SLOTS = 5;
const TARGET = { 4: "10.0.0.1", 6: "fd00::1" };

const input = JSON.parse(readFileSync(0, "utf8"));
const sets = input.seeds.flatMap((seed) => input.total.map((total) => ({ seed, total })));
const groups = Math.ceil(sets.length / SLOTS);

const run = (program, args, text = "") =>
  execFileSync(program, args, {
    input: text,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    stdio: ["pipe", "pipe", "pipe"],
  });

/** Rules of one rule set: one per node, each writing its number into the set's slot. */
function rulesOf({ seed, total }, index) {
  const shift = (index % SLOTS) * SLOT_BITS;
  const mask = (2 ** SLOT_BITS - 1) * 2 ** shift;
  return Array.from({ length: total }, (_, at) => {
    const match = `--cluster-total-nodes ${total} --cluster-local-node ${at + 1}`;
    const mark = `${(at + 1) * 2 ** shift}/${mask}`;
    const chain = `g${Math.floor(index / SLOTS)}`;
    return `-A ${chain} -m cluster ${match} --cluster-hash-seed ${seed} -j CONNMARK --set-xmark ${mark}`;
  });
}

function ruleset() {
  const names = Array.from({ length: groups }, (_, group) => group);
  return [
    "*filter",
    "-A INPUT -p udp -j DROP",
    "COMMIT",
    "*mangle",
    ...names.map((group) => `:g${group} - [0:0]`),
    ...names.map((group) => `-A OUTPUT -p udp --dport ${FIRST_PORT + group} -j g${group}`),
    ...sets.flatMap(rulesOf),
    "COMMIT",
    "",
  ].join("\n");
}

function prepare() {
  run("ip", ["link", "set", "lo", "up"]);
  // Any address is ours: a route of type local lets sockets bind to it.
  run("ip", ["route", "add", "local", "0.0.0.0/0", "dev", "lo"]);
  run("ip", ["-6", "route", "add", "local", "::/0", "dev", "lo"]);
  run("sysctl", ["-qw", "net.ipv6.ip_nonlocal_bind=1"]);
  run("iptables-restore", [], ruleset());
  run("ip6tables-restore", [], ruleset());
}

/** Sends one datagram per group from `address`. */
async function sendFrom(address, family) {
  const socket = createSocket(`udp${family}`);
  await new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(0, address, resolve);
  });
  for (let group = 0; group < groups; group++) {
    await new Promise((resolve, reject) => {
      socket.send("x", FIRST_PORT + group, TARGET[family], (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }
  socket.close();
}

function readMarks(family) {
  const text = run("conntrack", ["-L", "-f", family === 4 ? "ipv4" : "ipv6", "-p", "udp"]);
  return text
    .split("\n")
    .map((line) => /src=(\S+) .*?dport=(\d+) .*mark=(\d+)/.exec(line))
    .filter((match) => match !== null)
    .map(([, source, port, mark]) => ({ source, port: Number(port), mark: Number(mark) }));
}

prepare();
for (const address of input.sources4) await sendFrom(address, 4);
for (const address of input.sources6) await sendFrom(address, 6);
const rows = [...readMarks(4), ...readMarks(6)].flatMap(({ source, port, mark }) =>
  sets
    .map((set, index) => ({ ...set, index }))
    .filter(({ index }) => Math.floor(index / SLOTS) === port - FIRST_PORT)
    .map(({ seed, total, index }) => {
      const node = Math.floor(mark / 2 ** ((index % SLOTS) * SLOT_BITS)) % 2 ** SLOT_BITS;
      return { source, seed, total, node };
    }),
);
process.stdout.write(JSON.stringify({ rows }));
