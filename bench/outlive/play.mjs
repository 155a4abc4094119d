/** One fate after the other, with all programs in the middle of their transfers. */
import { setTimeout as sleep } from "node:timers/promises";
import { askLines } from "../../dist/cli/client.js";
import { unrest } from "../../dist/demo/convergence.js";
import { Lab } from "../../dist/demo/lab.js";
import { portsInto } from "../../dist/demo/ports.js";
import { CABLES, INSIDE } from "../../dist/demo/topology.js";
import { Arrivals, content } from "./arrivals.mjs";
import { FATES } from "./fates.mjs";
import { PROGRAMS } from "./programs.mjs";
import { run } from "./run.mjs";
import { startServers } from "./servers.mjs";

const NODES = 3;
/** Whose addresses are translated where that is asked for. */
const CLIENTS = "192.168.0.0/24";
const BYTES_PER_SECOND = 200_000;
const HEARTBEAT_MS = 50;
/** Longer than the coalescing window, with the way of the news to the peers. */
const REPLICATED_MS = 600;
const REST_MS_MAX = 30_000;
/** Milliseconds beyond its own length in which a transfer must have ended. */
const END_MS_MAX = 20_000;
const BEGIN_MS_MAX = 5000;
/** Where this process gets no time, it sees pauses that nobody else does; so it watches itself. */
const BLIND_LOOK_MS = 5;
const LATE = Symbol("late");
const FIRST_PORT = 20_000;
/** Source ports that a program which cannot choose its own is given. */
const FIRST_RANGED_PORT = 50_000;

export async function play({ programs, fates, every, seconds, failureMs, snat }, say) {
  const lab = Lab.open(NODES);
  const timing = { heartbeatMs: HEARTBEAT_MS, failureMs };
  const nat = snat ? [{ out: CABLES.outside, source: CLIENTS }] : [];
  const startNode = (id) => lab.startNode(id, { timing, nat });
  try {
    for (const id of lab.nodes) startNode(id);
    const bytes = seconds * BYTES_PER_SECOND;
    await startServers(lab, content(bytes), BYTES_PER_SECOND);
    const results = [];
    const round = new Run(lab, { bytes, perSecond: BYTES_PER_SECOND });
    for (const [index, fate] of fates.entries()) {
      await atRest(lab);
      const victim = lab.nodes[index % NODES];
      const met = programs.filter((_, at) => (at + index) % every === 0);
      say(`${fate}: node ${victim}, ${met.join(", ")}`);
      results.push(...(await round.fate(fate, victim, met)));
      await FATES[fate].heal(lab, victim, startNode);
    }
    return results;
  } finally {
    await lab.close();
  }
}

async function atRest(lab) {
  let fault = null;
  const settled = async () => {
    fault = unrest(await lab.statuses(), lab.nodes);
    return fault === null;
  };
  await lab.waitFor("cluster at rest", settled, REST_MS_MAX).catch((error) => {
    throw new Error(`${error.message}\n${fault}`);
  });
}

class Run {
  nextPort = FIRST_PORT;
  nextRangedPort = FIRST_RANGED_PORT;

  constructor(lab, plan) {
    this.lab = lab;
    this.plan = plan;
  }

  /** All programs through one node, and what becomes of them when it meets its fate. */
  async fate(fate, victim, names) {
    const { lab } = this;
    const { range } = await lab.status(victim);
    const blind = new Arrivals();
    const watch = setInterval(() => blind.add(1), BLIND_LOOK_MS);
    const transfers = [];
    for (const name of names) transfers.push(await this.start(name, range));
    for (const each of transfers) each.end = this.ending(each);
    await Promise.all(transfers.map((each) => this.begun(each)));
    await sleep(REPLICATED_MS);
    await this.checkCarried(transfers, victim);
    const early = transfers.filter(({ isOver }) => isOver).map(({ name }) => name);
    if (early.length > 0) throw new Error(`over before the fate: ${early.join()}`);
    await FATES[fate].strike(lab, victim);
    const ends = await Promise.all(transfers.map(({ end }) => end));
    clearInterval(watch);
    const blindMs = Math.round(blind.stallMs);
    return ends.map((end, index) => ({ fate, victim, program: names[index], ...end, blindMs }));
  }

  /** Starts a program so that the node with this range carries it. */
  async start(name, range) {
    const { protocol, port, ports, connections = 1, start } = PROGRAMS[name];
    const first = ports ? this.nextRangedPort : this.nextPort;
    const aim = { protocol, port, from: INSIDE.clients4[0], first };
    const [own] = portsInto(range, 1, aim);
    const last = own + (ports ?? 1) - 1;
    if (ports) this.nextRangedPort = last + 1;
    else this.nextPort = last + 1;
    if (ports) await this.limitPorts(own, last);
    const transfer = { name, own, last, ...(await start(this.lab, own, this.plan)) };
    if (ports) await this.connected(own, last, connections);
    return transfer;
  }

  limitPorts(first, last) {
    const argv = ["sysctl", "-qw", `net.ipv4.ip_local_port_range=${first} ${last}`];
    return run(this.lab, "client", argv);
  }

  /** Until then the client's kernel must not be given other ports. */
  connected(first, last, count) {
    const ports = `( sport >= :${first} and sport <= :${last} )`;
    const argv = ["ss", "-Htn", "state", "established", ports];
    return this.lab.waitFor(`connection from port ${first} on`, async () => {
      return (await run(this.lab, "client", argv)).split("\n").filter(Boolean).length >= count;
    });
  }

  /** @throws Error with what a program said that ended, or has got nothing for long */
  async begun({ name, arrivals, end }) {
    const isLate = sleep(BEGIN_MS_MAX, { failure: "nothing arrived" }, { ref: false });
    const ended = await Promise.race([arrivals.begun, end, isLate]);
    if (ended) throw new Error(`${name} did not begin: ${ended.failure}`);
  }

  async ending(transfer) {
    const { arrivals, finish } = transfer;
    const limit = (this.plan.bytes / this.plan.perSecond) * 1000 + END_MS_MAX;
    const late = sleep(limit, LATE, { ref: false });
    let end = await Promise.race([finish(), late]);
    if (end === LATE) {
      const evidence = this.evidence(transfer);
      end = { failure: `not over after ${limit} ms, ${arrivals.count} arrived${evidence}` };
    }
    transfer.isOver = true;
    return { failure: "", note: "", ...end, stallMs: Math.round(arrivals.stallMs) };
  }

  /** What both ends and the nodes' kernels have of a transfer that does not come to its end. */
  evidence({ name, own }) {
    const { port } = PROGRAMS[name];
    const look = (role, argv) => {
      try {
        return `\n${role}: ${this.lab.exec(role, argv).trim()}`;
      } catch (error) {
        return `\n${role}: ${error.message}`;
      }
    };
    const sockets = (end, number) => ["ss", "-Htnoi", `${end} = :${number}`];
    const entry = ["conntrack", "-L", "-p", "tcp", "--sport", String(own)];
    return [
      look("client", sockets("sport", own)),
      port === null ? "" : look("server", sockets("sport", port)),
      ...this.lab.nodes.map((id) => look(`node${id}`, entry)),
    ].join("");
  }

  /** The victim must be the one that carries them, or its fate would show nothing. */
  async checkCarried(transfers, victim) {
    const watcher = this.lab.nodes.find((id) => id !== victim);
    const owners = new Map();
    for await (const lines of askLines(this.lab.node(watcher).files.socket, "/v1/flows")) {
      for (const { original, owner } of lines.map((line) => JSON.parse(line))) {
        owners.set(original.sport ?? original.id, owner);
      }
    }
    for (const { name, own, last } of transfers) {
      const isCarried = [...owners].some(
        ([port, owner]) => port >= own && port <= last && owner === victim,
      );
      if (!isCarried) throw new Error(`${name} from ${own} is not carried by node ${victim}`);
    }
  }
}
