/** Which buckets may be claimed, as the ranges layer was last told. */
import type { Follower } from "../broadcast/broadcast.js";
import type { Bitmap } from "../ranges/bitmap.js";
import type { Ledger } from "./ledger.js";
import type { Peers } from "./peers.js";

export class Readiness {
  private told: Bitmap;

  constructor(
    private readonly ledger: Ledger,
    private readonly peers: Peers,
  ) {
    this.told = ledger.owned.slice();
  }

  /** The ranges layer begins anew: to it nothing is ready. */
  forget(): void {
    this.told.fill(0);
  }

  /** The buckets as they are now, or null when nothing has changed. */
  change(followers: readonly Follower[]): Bitmap | null {
    const caughtUp = followers.filter((peer) => this.peers.isCaughtUp(peer));
    const nodes = new Set(caughtUp.map(({ node }) => node));
    const ready = this.ledger.ready((node) => nodes.has(node));
    if (ready.every((word, index) => word === this.told[index])) return null;
    this.told = ready;
    return ready.slice();
  }
}
