/**
 * Invariants that a node can see of itself while it runs. Each counter has to stay 0; another value
 * is a bug, and `status` and metrics show it. The simulator checks the same and more.
 */
import { type Bitmap, isEmpty, type Run } from "./ranges/bitmap.js";

export interface SelfCheckCounters {
  /** The epoch of the view was lower than before. */
  epochWentBack: number;
  /** A lease on buckets that had run out was extended. */
  lateRenewal: number;
  /** The leased range was not the range that the protocol says is owned. */
  leasedNotOwned: number;
}

export class SelfCheck {
  readonly counters: SelfCheckCounters = { epochWentBack: 0, lateRenewal: 0, leasedNotOwned: 0 };
  private epoch = 0;
  private untilMs = Number.POSITIVE_INFINITY;

  onEpoch(epoch: number): void {
    if (epoch < this.epoch) this.counters.epochWentBack += 1;
    this.epoch = epoch;
  }

  /** A lease until `untilMs` is granted at `now`; one on nothing may end and begin again. */
  onLease(now: number, untilMs: number, owned: Bitmap): void {
    if (this.untilMs < now && untilMs > this.untilMs) this.counters.lateRenewal += 1;
    this.untilMs = isEmpty(owned) ? Number.POSITIVE_INFINITY : untilMs;
  }

  onRevoke(): void {
    this.untilMs = Number.POSITIVE_INFINITY;
  }

  /** Compares what is leased with what is owned, both at the same moment. */
  onRange(leased: readonly Run[], owned: readonly Run[]): void {
    if (leased.join() !== owned.join()) this.counters.leasedNotOwned += 1;
  }
}
