/**
 * The demo's plot, on a lab that is open:
 *
 *     start, converge | traffic ... | SIGKILL one node, | ... | start it again | ... | count
 *                     |             | probe its range   |     |                |     |
 *                     0            S/3                       2S/3                    S
 */
import { CliError } from "../cli/error.js";
import { bootMs } from "../platform/clock.js";
import { unrest } from "./convergence.js";
import type { Lab } from "./lab.js";
import { Load, PORTS, Prober, startServer } from "./load.js";
import { LAB_TIMING } from "./node-process.js";
import { Observer } from "./observer.js";
import type { Outcome } from "./outcome.js";
import { portsInto } from "./ports.js";
import type { Show } from "./show.js";
import { INSIDE, OUTSIDE } from "./topology.js";
import { Watch } from "./watch.js";

/** A new probe this often; what is shorter cannot be seen. */
const PROBE_MS = 5;

/** Milliseconds until a takeover, a rejoin, a start are given up. */
const TAKEOVER_MS_MAX = 5000;
const CONVERGE_MS_MAX = 20_000;
const REST_MS_MAX = 3000;

/** Plays the whole demo. @throws Error where the cluster does not come up, or ends unasked */
export async function play(lab: Lab, seconds: number, show: Show): Promise<Outcome> {
  const observer = new Observer(lab, PORTS);
  const startMs = await startCluster(lab);
  show.event(
    `${lab.nodes.length} nodes share all buckets, ${Math.round(startMs)} ms after the start`,
  );
  const prober = await Prober.start(lab);
  const load = new Load(lab);
  const watch = new Watch(
    lab,
    observer,
    () => load.report,
    (frame) => show.frame(frame),
  );
  show.event("HTTP connections run through the cluster");
  const begin = bootMs();
  const until = (share: number) => sleep(begin + share * seconds * 1000 - bootMs());
  await until(1 / 3);
  const victim = lab.nodes[Math.ceil(lab.nodes.length / 2) - 1] as number;
  const takeoverMs = await killAndProbe(lab, victim, prober, show);
  await until(2 / 3);
  const rejoinMs = await rejoin(lab, victim, show);
  await until(1);
  const client = await load.stop();
  await watch.stop();
  const fault = await lastFault(lab);
  return { nodes: lab.nodes.length, client, seen: observer.read(), takeoverMs, rejoinMs, fault };
}

/** Starts server and nodes. @returns milliseconds until the ranges were the sorted target */
async function startCluster(lab: Lab): Promise<number> {
  for (const id of lab.nodes) lab.startNode(id);
  await startServer(lab);
  return converge(lab);
}

/** @throws CliError as soon as a node ends, with its exit code 3 where it lacks something */
function converge(lab: Lab): Promise<number> {
  const settled = async () => {
    for (const id of lab.nodes) {
      const { running, exitCode, log } = lab.node(id);
      if (running) continue;
      throw new CliError(`node ${id} ended: ${log.at(-1) ?? "no word"}`, exitCode === 3 ? 3 : 1);
    }
    return unrest(await lab.statuses(), lab.nodes) === null;
  };
  return lab.waitFor("cluster at rest", settled, CONVERGE_MS_MAX);
}

/**
 * What is wrong at the end; a node that the machine gave no time for a moment may come to rest
 * again.
 */
async function lastFault(lab: Lab): Promise<string | null> {
  let fault: string | null = null;
  const settled = async () => {
    fault = unrest(await lab.statuses(), lab.nodes);
    return fault === null;
  };
  await lab.waitFor("cluster at rest", settled, REST_MS_MAX).catch(() => {});
  return fault;
}

/** @returns milliseconds from SIGKILL until a new connection into the range succeeded, or null */
async function killAndProbe(lab: Lab, victim: number, prober: Prober, show: Show) {
  const { range } = await lab.status(victim);
  const localPorts = portsInto(range, TAKEOVER_MS_MAX / PROBE_MS);
  const node = lab.node(victim);
  const killed = bootMs();
  node.kill("SIGKILL");
  show.event(`node ${victim} is killed (SIGKILL)`);
  // A connection that the dying process still lets through would be no takeover.
  await node.ended;
  const { at } = await prober.find({
    host: OUTSIDE.server4,
    port: PORTS.probe,
    localAddress: INSIDE.probe,
    localPorts,
    everyMs: PROBE_MS,
    timeoutMs: TAKEOVER_MS_MAX,
  });
  if (at === null) {
    show.event(`no connection into the range of node ${victim} in ${TAKEOVER_MS_MAX} ms`);
    return null;
  }
  const bound = `failureMs is ${LAB_TIMING.failureMs}`;
  show.event(`its range serves new connections ${Math.round(at - killed)} ms later (${bound})`);
  return at - killed;
}

/**
 * @returns milliseconds from the start of the process until all ranges were equal again, or null
 */
async function rejoin(lab: Lab, victim: number, show: Show): Promise<number | null> {
  show.event(`node ${victim} is started again`);
  lab.startNode(victim);
  try {
    const ms = await converge(lab);
    show.event(`all ranges are disjoint and equal again after ${Math.round(ms)} ms`);
    return ms;
  } catch (error) {
    show.event((error as Error).message);
    return null;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
