/**
 * The range a node holds, with its lease and what the outside is told of both. Every change of the
 * range passes here, so no bucket is ever gained or lost without its event and its lease.
 */
import { Lease } from "../lease.js";
import type { Outbox } from "../outbox.js";
import type { ClaimCause, ReleaseCause } from "../output.js";
import type { ClusterInputs, ClusterSettings } from "../settings.js";
import {
  type Bitmap,
  bucketsOf,
  countBuckets,
  emptyBitmap,
  hasBucket,
  isEmpty,
  isSame,
  runsOf,
  without,
} from "./bitmap.js";
import { type Claim, RangeKeeper, type RangeView } from "./keeper.js";
import { Waiting } from "./waiting.js";

/** A peer and what it claims. */
interface Owner {
  readonly node: number;
  readonly claim: Bitmap;
}

export class Holding {
  readonly keeper: RangeKeeper;
  readonly lease: Lease;
  readonly waiting: Waiting;
  /** Whether something was claimed that the peers have not been told yet. */
  hasNews = false;
  private isLeaseOld = false;
  private askedMs = Number.NEGATIVE_INFINITY;
  /** As the layers above were last told. */
  private wanted: { readonly claimed: Bitmap; readonly planned: Bitmap; readonly ticket: number };

  constructor(
    private readonly settings: ClusterSettings,
    private readonly inputs: ClusterInputs,
    private readonly out: Outbox,
    now: number,
  ) {
    this.keeper = new RangeKeeper(settings.id, settings.buckets);
    this.lease = new Lease(settings.leaseMs, now);
    this.waiting = new Waiting(settings.buckets);
    const none = emptyBitmap(settings.buckets);
    this.wanted = { claimed: none, planned: none, ticket: 0 };
  }

  /** What is leased, or will be with the next renewal. */
  get leased(): Bitmap {
    return without(this.keeper.mine, this.waiting.buckets);
  }

  /** Whether a bucket waits: for its flows, for somebody to claim it, or to be told of. */
  get isUnderWay(): boolean {
    return this.hasNews || this.waiting.count > 0 || this.keeper.uncovered.isAny;
  }

  /**
   * What is told to the peers. Nobody who serves a bucket may give it up to a node that waits for
   * its flows; so that one claims it only while nobody else does.
   */
  get claim(): Bitmap {
    const { keeper, waiting } = this;
    return without(keeper.mine, keeper.shared(waiting.buckets));
  }

  /** Takes this node's piece of a dead node's last claim; returns how many buckets. */
  takeOver(dead: Bitmap, view: RangeView, now: number): number {
    return this.claimed(this.keeper.takeOver(dead, view), "takeover", now);
  }

  /** Takes what belongs here and nobody has claimed for a heartbeat. */
  takeUncovered(view: RangeView, now: number): void {
    const waitMs = this.settings.heartbeatMs;
    this.claimed(this.keeper.claimUncovered(view, waitMs, now), "uncovered", now);
  }

  /**
   * One step towards the target, if it is known how the flows are. Whose they are counts: a former
   * owner may have told of none, and the one that serves the bucket may not have spoken yet.
   */
  takeStep(view: RangeView, owners: readonly Owner[], now: number): void {
    const { keeper, inputs, settings } = this;
    if (now - (inputs.answeredMs?.() ?? now) > settings.failureMs) return;
    const hasFlowsOf = ({ node, claim }: Owner, bucket: number) =>
      hasBucket(claim, bucket) && (inputs.mayClaim?.(bucket, node) ?? true);
    const mayClaim = (bucket: number) =>
      this.isUsable(bucket) && owners.some((owner) => hasFlowsOf(owner, bucket));
    this.claimed(keeper.claimPlanned(view, settings.handoverStep, mayClaim), "planned", now);
  }

  /**
   * Asks how the flows are of what is to be claimed from others, with each heartbeat. Replication
   * runs in another thread: where that stands still, what it said last holds no more.
   */
  ask(view: RangeView, now: number): void {
    const { keeper, inputs, settings } = this;
    if (!inputs.answeredMs || now - this.askedMs < settings.heartbeatMs) return;
    if (isEmpty(keeper.shared(keeper.planned(view)))) return;
    this.askedMs = now;
    this.out.up({ kind: "ask", atMs: now });
  }

  /** Leases claimed buckets whose flows have come into the kernel, or are not waited for longer. */
  admit(now: number): void {
    const { waiting, keeper } = this;
    const served = keeper.shared(waiting.buckets);
    if (!waiting.admit((bucket) => this.isUsable(bucket), served, now)) return;
    this.isLeaseOld = true;
    const outcome = waiting.outcome(now);
    if (outcome) this.out.tell({ name: "installed", ...outcome });
  }

  /** Says which flows are to be in the kernel, where that is not so with all. */
  want(view: RangeView, mayPlan: boolean): void {
    if (this.inputs.isUsable === undefined) return;
    const { keeper, wanted } = this;
    const claimed = keeper.mine.slice();
    const planned = mayPlan ? keeper.planned(view) : emptyBitmap(this.settings.buckets);
    if (isSame(claimed, wanted.claimed) && isSame(planned, wanted.planned)) return;
    this.wanted = { claimed, planned, ticket: wanted.ticket + 1 };
    this.out.up({ kind: "want", ...this.wanted });
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
    this.out.push(this.lease.renew(now, this.leased));
  }

  /** Brings the lease in line with a range that changed between two beats. */
  settle(): void {
    if (this.isLeaseOld) this.out.push(this.lease.change(this.leased));
    this.isLeaseOld = false;
  }

  private isUsable(bucket: number): boolean {
    return this.inputs.isUsable?.(bucket) ?? true;
  }

  private claimed(buckets: Bitmap, cause: ClaimCause, now: number): number {
    if (isEmpty(buckets)) return 0;
    this.waiting.add(
      [...bucketsOf(buckets)].filter((bucket) => !this.isUsable(bucket)),
      now,
    );
    this.hasNews = true;
    this.isLeaseOld = true;
    this.out.tell({ name: "claim", cause, runs: runsOf(buckets) });
    return countBuckets(buckets);
  }

  private released(buckets: Bitmap, cause: ReleaseCause, to: number): void {
    if (isEmpty(buckets)) return;
    this.waiting.remove(buckets);
    this.isLeaseOld = true;
    this.out.tell({ name: "release", cause, to, runs: runsOf(buckets) });
  }
}
