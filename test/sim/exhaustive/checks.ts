/**
 * What must hold after each step (docs/RELIABILITY.md has the list), and at the end.
 *
 *   R2, R3  a bucket that was ever accepted is accepted by somebody from then on; after a crash the
 *           dead node's may be open until the peers have had time to notice
 *   R4      in quiet: one owner for each bucket, one view, the sorted target
 *   M2, M3, R8  how a node takes part (machine.ts)
 *   R5      an epoch never goes back (machine.ts); an older claim, or one of another view, is never
 *           obeyed
 *   P4      who takes a dead node's buckets over finds its kernel's lease expired
 *   order   the lease is there before the claim is told (machine.ts)
 *   overlap a bucket is accepted twice for a bounded time only
 */
import { targetOf } from "../../../src/cluster/ranges/target.js";
import {
  bucketsText,
  type Deeds,
  heartbeatOf,
  leased,
  type Machine,
  type Mask,
  maskOf,
} from "./machine.js";
import { coverOf, lastGapBeat, nowOf, type Trail, type World } from "./world.js";

/** Ends of heartbeats at which a bucket may be accepted twice: a fault can cost one more. */
const OVERLAP_BEATS = 3;

/** Something happened that must not. */
export class Violation extends Error {
  /** The way there, the last action included; null until whoever took it says so. */
  trail: Trail | null = null;

  constructor(message: string, trail: Trail | null = null) {
    super(message);
    this.trail = trail;
  }
}

/** @throws Violation when `after` must not follow `before` */
export function checkStep(before: World, after: World): void {
  const open = after.covered & ~coverOf(after);
  const { crash } = after;
  const mayBeOpen = crash && after.beat <= lastGapBeat(after, crash) ? crash.orphans : 0;
  if ((open & ~mayBeOpen) !== 0 && !isAbandoned(after)) {
    throw new Violation(`nobody accepts ${bucketsText(open & ~mayBeOpen)}`);
  }
  if (after.beat === before.beat) return;
  const most = OVERLAP_BEATS + after.faults;
  const long = after.twice.findIndex((beats) => beats > most);
  if (long >= 0)
    throw new Violation(`bucket ${long} was accepted twice for ${most + 1} heartbeats`);
}

/**
 * Who takes over from a dead node does so when its kernel accepts nothing any more. Looked at where
 * the crash is the only fault: what was lost or late makes a node look dead sooner, or heard later.
 */
export function checkTakeover({ crash, beat, faults }: World, deeds: Deeds): void {
  if (!crash || faults > 1 || nowOf(beat) >= nowOf(crash.heardBeat) + crash.leaseMs) return;
  for (const event of deeds.events) {
    if (event.name !== "claim" || event.cause !== "takeover") continue;
    const both = maskOf(event.runs, 31) & crash.orphans;
    if (both === 0) continue;
    throw new Violation(`P4: ${bucketsText(both)} taken over while node ${crash.node} has a lease`);
  }
}

/** Whether all that run were asked to go: then nobody is left to accept anything. */
function isAbandoned(world: World): boolean {
  const now = nowOf(world.beat);
  return world.machines.every((one) => !one || one.machine.node.snapshot(now).state === "draining");
}

/**
 * What the argument in ranges/release.ts rests on: a claim is obeyed only if its epoch is not below
 * the hearer's and its sender believes in the same view.
 */
export function checkObedience(bytes: Uint8Array, hearer: Machine, deeds: Deeds): void {
  const isObeyed = deeds.events.some(
    (event) => event.name === "release" && event.cause === "handover",
  );
  const beat = heartbeatOf(bytes);
  if (!beat || !isObeyed) return;
  if (beat.epoch < hearer.node.epoch) {
    throw new Violation(`R5: node ${hearer.id} obeyed a claim of epoch ${beat.epoch}`);
  }
  if (beat.viewHash !== viewHashOf(hearer)) {
    throw new Violation(`node ${hearer.id} obeyed a claim made in another view`);
  }
}

/** No snapshot shows the hash: only the own heartbeats tell it. */
function viewHashOf({ node }: Machine): bigint {
  return (node as unknown as { standing: { view: { hash: bigint } } }).standing.view.hash;
}

/** Why a world is not settled yet, or "". */
export function unrest(world: World, buckets: number): string {
  const now = nowOf(world.beat);
  const running = world.machines.flatMap((one) => (one ? [one.machine] : []));
  const shots = running.map((machine) => machine.node.snapshot(now));
  const active = shots.filter(({ state }) => state === "active").map(({ node }) => node);
  for (const shot of shots) {
    if (String(shot.view) !== String(active)) {
      return `node ${shot.node} believes ${shot.view} active, not ${active}`;
    }
  }
  for (const machine of running) {
    const target: Mask = targetOf(active, machine.id, buckets)[0];
    const owned = leased(machine, now);
    if (owned !== target) {
      return `node ${machine.id} accepts ${bucketsText(owned)}, not ${bucketsText(target)}`;
    }
  }
  return active.length > 0 || isAbandoned(world) ? "" : "nobody is active";
}
