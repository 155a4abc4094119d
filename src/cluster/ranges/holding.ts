/**
 * The range a node holds, with its lease and what the outside is told of both. Every change of the
 * range passes here, so no bucket is ever gained or lost without its event and its lease.
 */
import { Lease } from "../lease.js";
import type { Outbox } from "../outbox.js";
import type { ClaimCause, ReleaseCause } from "../output.js";
import type { ClusterInputs, ClusterSettings } from "../settings.js";
import { type Bitmap, countBuckets, isEmpty, runsOf } from "./bitmap.js";
import { type Claim, RangeKeeper, type RangeView } from "./keeper.js";

export class Holding {
  readonly keeper: RangeKeeper;
  readonly lease: Lease;
  /** Whether something was claimed that the peers have not been told yet. */
  hasNews = false;
  private isLeaseOld = false;

  constructor(
    private readonly settings: ClusterSettings,
    private readonly inputs: ClusterInputs,
    private readonly out: Outbox,
    now: number,
  ) {
    this.keeper = new RangeKeeper(settings.id, settings.buckets);
    this.lease = new Lease(settings.leaseMs, now);
  }

  /** Takes this node's piece of a dead node's last claim; returns how many buckets. */
  takeOver(dead: Bitmap, view: RangeView): number {
    return this.claimed(this.keeper.takeOver(dead, view), "takeover");
  }

  /** Takes what belongs here and nobody has claimed for a heartbeat. */
  takeUncovered(view: RangeView, now: number): void {
    const waitMs = this.settings.heartbeatMs;
    this.claimed(this.keeper.claimUncovered(view, waitMs, now), "uncovered");
  }

  /** One step towards the target. */
  takeStep(view: RangeView): void {
    const mayClaim = (bucket: number) => this.inputs.mayClaim?.(bucket) ?? true;
    const step = this.settings.handoverStep;
    this.claimed(this.keeper.claimPlanned(view, step, mayClaim), "planned");
  }

  /** Gives up what a peer's claim allows to give up. */
  yieldTo(claim: Claim, view: RangeView): void {
    this.released(this.keeper.release(view, claim), "handover", claim.node);
  }

  /** Gives everything up, to nobody in particular; the lease goes on. */
  dropAll(cause: ReleaseCause): void {
    this.released(this.keeper.dropAll(), cause, 0);
  }

  /** Stops serving at once. */
  stop(cause: ReleaseCause): void {
    this.out.push(this.lease.revoke());
    this.dropAll(cause);
    this.isLeaseOld = false;
    this.hasNews = false;
  }

  /** Goes with each beat, before it is sent. */
  renew(now: number): void {
    this.hasNews = false;
    this.isLeaseOld = false;
    this.out.push(this.lease.renew(now, this.keeper.mine));
  }

  /** Brings the lease in line with a range that changed between two beats. */
  settle(): void {
    if (this.isLeaseOld) this.out.push(this.lease.change(this.keeper.mine));
    this.isLeaseOld = false;
  }

  private claimed(buckets: Bitmap, cause: ClaimCause): number {
    if (isEmpty(buckets)) return 0;
    this.hasNews = true;
    this.isLeaseOld = true;
    this.out.tell({ name: "claim", cause, runs: runsOf(buckets) });
    return countBuckets(buckets);
  }

  private released(buckets: Bitmap, cause: ReleaseCause, to: number): void {
    if (isEmpty(buckets)) return;
    this.isLeaseOld = true;
    this.out.tell({ name: "release", cause, to, runs: runsOf(buckets) });
  }
}
