/**
 * R7, M1: a node that hears nobody owns all or gives all up, as its isolation rule says; and nobody
 * who is dead looks alive for long.
 */
import { countBuckets } from "../../../src/cluster/ranges/bitmap.js";
import { gapMs } from "../bounds.js";
import { type Calm, stateOf } from "../calm.js";
import type { Machine, Process } from "../machine.js";
import type { Links } from "../network.js";
import { partsOf } from "../peek.js";
import type { Plan } from "../plan.js";
import { type Checker, Violation } from "../watch.js";

/** A thread that has just gone on needs a moment: so many seconds in a row make a violation. */
const SECONDS = 3;

export class Sight implements Checker {
  readonly invariant = "R7, M1";
  private readonly aloneSince = new Map<Process, number>();
  private readonly died = new Map<bigint, number>();
  private readonly wrong = new Map<string, number>();

  constructor(
    private readonly plan: Plan,
    private readonly calm: Calm,
    private readonly links: Links,
    private readonly machines: readonly Machine[],
  ) {}

  onDeath(_machine: Machine, process: Process): void {
    const { incarnation } = partsOf(process.control.node).standing.self.identity;
    this.died.set(incarnation, this.calm.now);
  }

  onSecond(): void {
    for (const machine of this.machines) {
      const { process } = machine;
      if (!process || machine.isAsleep || process.threads.control.isFrozen) continue;
      // A node that is halted neither listens nor takes part.
      if (partsOf(process.control.node).halt !== "") continue;
      this.judgeAlone(machine, process);
      this.judgeDead(machine, process);
    }
  }

  private judgeAlone(machine: Machine, process: Process): void {
    const hears = this.machines.some((other) => other !== machine && this.hears(machine, other));
    if (hears || this.isRelayed) this.aloneSince.delete(process);
    else if (!this.aloneSince.has(process)) this.aloneSince.set(process, this.calm.now);
    const since = this.aloneSince.get(process) ?? Number.POSITIVE_INFINITY;
    const { isolation, buckets } = this.plan.settings;
    const isLong = this.calm.now - since > 2 * gapMs(this.plan) + this.plan.settings.failureMs;
    const owned = countBuckets(machine.accepting ?? new Uint32Array());
    const { self } = partsOf(process.control.node).standing;
    const mustYield =
      (isolation === "majority" && this.machines.length > 1) ||
      (isolation !== "serve" && self.known.size > 0);
    const mustServe = isolation === "serve" && stateOf(machine) === "active" && machine.isServing;
    const name = `node ${machine.id}`;
    this.count(`${name} is alone under ${isolation} and serves`, isLong && mustYield && owned > 0);
    const isIncomplete = isLong && mustServe && owned < buckets;
    this.count(`${name} is alone and does not serve all`, isIncomplete);
  }

  private judgeDead(machine: Machine, process: Process): void {
    const { failureMs, heartbeatMs } = this.plan.settings;
    for (const peer of partsOf(process.control.node).standing.peers.all()) {
      const diedMs = this.died.get(peer.incarnation) ?? Number.POSITIVE_INFINITY;
      const isLate = this.calm.now - diedMs > 2 * failureMs + 10 * heartbeatMs;
      this.count(`node ${machine.id} takes node ${peer.node} for alive, which is dead`, isLate);
    }
  }

  /** Who plays datagrams again also plays those that a cut has kept from a node: so it hears. */
  private get isRelayed(): boolean {
    const { now } = this.calm;
    return this.plan.faults.some(
      ({ kind, atMs, forMs }) =>
        kind === "replay" && atMs <= now && now <= atMs + forMs + gapMs(this.plan),
    );
  }

  private hears(machine: Machine, other: Machine): boolean {
    if (!other.process || other.isAsleep || other.process.threads.control.isFrozen) return false;
    for (let link = 0; link < this.plan.settings.links; link++) {
      if (this.links.passes(other.id, machine.id, link)) return true;
    }
    return false;
  }

  private count(what: string, isWrong: boolean): void {
    const seconds = isWrong ? (this.wrong.get(what) ?? 0) + 1 : 0;
    this.wrong.set(what, seconds);
    if (seconds >= SECONDS) throw new Violation(what.includes("dead") ? "M1" : "R7", what);
  }
}
