/** R6, P4, G1: nothing is accepted without a lease, and nobody is half alive. */

import type { Output } from "../../../src/cluster/output.js";
import { bitmapOf, hasBucket, isEmpty } from "../../../src/cluster/ranges/bitmap.js";
import type { Calm } from "../calm.js";
import type { Packet } from "../connection.js";
import type { Machine, Process } from "../machine.js";
import { partsOf } from "../peek.js";
import type { Plan } from "../plan.js";
import { type Checker, Violation } from "../watch.js";

/** R6: an expired lease accepts nothing, and is never extended. */
export class LeaseHolds implements Checker {
  readonly invariant = "R6";
  private readonly untilMs = new WeakMap<Process, number>();

  onOutput(machine: Machine, process: Process, output: Output): void {
    // A lease on nothing may end and begin again.
    if (output.kind === "lease" && isEmpty(process.control.owned)) this.untilMs.delete(process);
    if (output.kind === "revoke") this.untilMs.delete(process);
    if (output.kind !== "lease") return;
    const before = this.untilMs.get(process);
    if (before !== undefined && before < machine.localMs && output.untilMs > before) {
      const lateMs = Math.round(machine.localMs - before);
      throw new Violation("R6", `node ${machine.id} renews a lease that ended ${lateMs} ms ago`);
    }
    this.untilMs.set(process, output.untilMs);
  }

  onAccepted(machine: Machine, process: Process, _packet: Packet, bucket: number): void {
    const untilMs = this.untilMs.get(process) ?? Number.NEGATIVE_INFINITY;
    if (untilMs > machine.localMs && hasBucket(process.control.owned, bucket)) return;
    throw new Violation("R6", `node ${machine.id} accepts bucket ${bucket} without a lease on it`);
  }
}

/** P4, invariant 3: who takes over from a stopped node finds its kernel's lease expired. */
export class Fence implements Checker {
  readonly invariant = "P4";

  constructor(
    private readonly plan: Plan,
    private readonly calm: Calm,
    private readonly machines: readonly Machine[],
  ) {}

  onOutput(machine: Machine, _process: Process, output: Output): void {
    if (output.kind !== "event" || output.event.name !== "claim") return;
    if (output.event.cause !== "takeover") return;
    const { failureMs, buckets } = this.plan.settings;
    // Where its last beats were lost, its peers give up on a node that has a lease: an overlap.
    if (this.calm.isLossy || this.calm.now - this.calm.troubledMs < 2 * failureMs) return;
    const taken = bitmapOf(output.event.runs, buckets);
    for (const other of this.machines) {
      if (other === machine || other.isAsleep || !isStopped(other)) continue;
      for (let bucket = 0; bucket < buckets; bucket++) {
        if (!hasBucket(taken, bucket) || !other.kernel.leases(bucket)) continue;
        const [heir, dead] = [machine.id, other.id];
        throw new Violation(
          "P4",
          `node ${heir} takes bucket ${bucket}, still leased to node ${dead}`,
        );
      }
    }
  }
}

function isStopped({ process }: Machine): boolean {
  return !process || process.threads.control.isFrozen;
}

/** G1: a node whose packet worker stands still sends no heartbeats. */
export class NotHalfAlive implements Checker {
  readonly invariant = "G1";
  private readonly stalledMs = new WeakMap<Process, number>();
  /** Heartbeats of the incarnation at the last turn. */
  private readonly beats = new WeakMap<Process, number>();

  constructor(
    private readonly plan: Plan,
    private readonly calm: Calm,
  ) {}

  onReach({ process }: Machine): void {
    if (!process) return;
    if (!process.threads.worker.isFrozen) this.stalledMs.delete(process);
    else if (!this.stalledMs.has(process)) this.stalledMs.set(process, this.calm.now);
  }

  onTurn(machine: Machine, process: Process): void {
    const { beats, halt } = partsOf(process.control.node);
    const before = this.beats.get(process);
    this.beats.set(process, beats.tick);
    const since = this.stalledMs.get(process);
    if (since === undefined || !process.threads.worker.isFrozen) return;
    if (before === undefined || beats.tick <= before) return;
    const { tickMs, heartbeatMs, drift } = this.plan.settings;
    const ms = this.calm.now - since;
    if (halt !== "") return; // LEAVE: its range is given up
    if (ms <= (process.stallMs("worker") + 2 * tickMs) * (1 + 2 * drift) + heartbeatMs) return;
    throw new Violation(
      "G1",
      `node ${machine.id} sends heartbeats, its worker has stood for ${Math.round(ms)} ms`,
    );
  }
}
