/**
 * A look from outside at what is handed on: the number that a frame bears is the next one after
 * the frame before it, from the start on. `Stream` sees to that; where it did not, it is counted.
 */
import type { Follower } from "./follower.js";
import { advance } from "./sequence.js";

export class Order {
  /** Frames handed on out of order, twice, behind a gap, or without a start. Has to stay 0. */
  violations = 0;
  /** By peer, the number of the frame that has to follow. */
  private readonly due = new WeakMap<Follower, number>();

  onStart(peer: Follower, base: number): void {
    this.due.set(peer, base);
  }

  /** Its stream was lost: nothing follows until it starts again. */
  onLost(peer: Follower): void {
    this.due.delete(peer);
  }

  onDelivered(peer: Follower, sequence: number): void {
    if (this.due.get(peer) !== sequence) this.violations += 1;
    this.due.set(peer, advance(sequence));
  }
}
