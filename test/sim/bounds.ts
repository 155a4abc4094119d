/** The bounds that checkers hold the cluster to, as formulas of the settings. Milliseconds. */
import { INSTALL_PATIENCE_MS } from "../../src/cluster/limits.js";
import type { Plan } from "./plan.js";

/** Longest way of a datagram that counts as on time: all but one in e^8 of them. */
function wayMs(plan: Plan): number {
  const [least, mean] = plan.network.delayMs;
  return least + 8 * mean;
}

/** Clocks that run apart make every time of a peer longer or shorter by this. */
function skew(plan: Plan): number {
  return 1 + 2 * plan.settings.drift;
}

/**
 * D: from a death to the last bucket taken over. Silence is noticed after failureMs and a tick, a
 * tick or two later orphans are leased; what falls between the pictures that survivors have waits
 * for two heartbeats more. Where beats are lost, the survivors' views differ for as long again.
 */
export function gapMs(plan: Plan): number {
  const { failureMs, heartbeatMs, tickMs } = plan.settings;
  const once = (failureMs + 2 * heartbeatMs + 4 * tickMs + wayMs(plan)) * skew(plan);
  const isBad = plan.network.loss > 0 || plan.network.corruption > 0;
  const installMs = plan.settings.cold ? INSTALL_PATIENCE_MS + 2 * tickMs : 0;
  return installMs + (isBad ? 2 * once + failureMs : once);
}

/** How long a packet worker or the main thread may stand still until the node falls silent. */
export function stallMs(plan: Plan): number {
  const { failureMs, tickMs } = plan.settings;
  return Math.max(2 * failureMs, 1000) * skew(plan) + 2 * tickMs;
}

/** X: how long two nodes may both accept a bucket when all hear each other. */
export function overlapMs(plan: Plan): number {
  const { heartbeatMs, failureMs } = plan.settings;
  return 3 * heartbeatMs + failureMs + 2 * gapMs(plan);
}

/** R: from the opening of a flow to its replica on all nodes, without loss or with repairs. */
export function replicationMs(plan: Plan): number {
  const { windowMs, tickMs, threadMs, hopMs, hearMs, heartbeatMs } = plan.settings;
  const inNodes = 4 * tickMs + hearMs + 2 * threadMs + hopMs;
  const told = windowMs * 8 + inNodes + wayMs(plan);
  const isBad = plan.network.loss > 0 || plan.network.corruption > 0;
  return told + 200 + (isBad ? heartbeatMs * 8 + 4000 : 2 * heartbeatMs);
}

/** From a frame to its delivery: a heartbeat tells of it, and it is asked for until it is here. */
export function tailMs(plan: Plan): number {
  const { tickMs, threadMs, hopMs, heartbeatMs } = plan.settings;
  const inNodes = 8 * tickMs + 4 * threadMs + 2 * hopMs;
  return (8 * heartbeatMs + 4000) * skew(plan) + inNodes + 2 * wayMs(plan);
}

/** What replication needs to find and mend drift: a whole round of digests, and the repair. */
export function repairMs(plan: Plan): number {
  return 16 * (500 + plan.settings.tickMs) + 6000;
}

/** How long after the last fault everything must be well. */
export function quietMs(plan: Plan): number {
  const { failureMs } = plan.settings;
  return 60_000 + 20 * failureMs + replicationMs(plan) + gapMs(plan) * 10;
}
