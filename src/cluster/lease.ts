/**
 * The lease: the permission to accept packets, which ends by itself.
 *
 *      beat: now is read -> lease until now + leaseMs -> beat is sent -> peers hear it, later
 *                                     |                                    |
 *                                     ends at now + leaseMs  <  now + failureMs <= they take over
 *
 * It is renewed with each beat and only there. It is never renewed once it has run out: whoever was
 * paused for so long must assume that its peers have taken its buckets over.
 */
import type { Output } from "./output.js";
import type { Bitmap } from "./ranges/bitmap.js";

export class Lease {
  /** When it ends, in protocol milliseconds. */
  untilMs = Number.NEGATIVE_INFINITY;
  private renewedMs: number;

  constructor(
    private readonly leaseMs: number,
    now: number,
  ) {
    this.renewedMs = now;
  }

  /** Counts a beat of a node that holds no lease: a long pause is a long pause for it too. */
  beat(now: number): void {
    this.renewedMs = now;
  }

  renew(now: number, owned: Bitmap): Output {
    this.renewedMs = now;
    this.untilMs = now + this.leaseMs;
    return this.change(owned);
  }

  /** Another range under the same end. */
  change(owned: Bitmap): Output {
    return { kind: "lease", untilMs: this.untilMs, owned: owned.slice() };
  }

  revoke(): Output {
    this.untilMs = Number.NEGATIVE_INFINITY;
    return { kind: "revoke" };
  }

  /** Milliseconds since the last renewal. */
  pausedMs(now: number): number {
    return now - this.renewedMs;
  }

  hasLapsed(now: number): boolean {
    return this.pausedMs(now) > this.leaseMs;
  }
}
