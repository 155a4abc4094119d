/**
 * Anti-replay window in the manner of RFC 6479: a ring of words, one of them spare, so that sliding
 * forward clears whole words and never shifts bits.
 *
 *      counters   ... too old | <------- WINDOW_COUNTERS ------->| newest | not seen yet ...
 *
 * Only a counter of an authentic datagram may be shown to it.
 */
import { COUNTER_LIMIT, WINDOW_COUNTERS } from "../limits.js";

const WORD_BITS = 32;

export class ReplayWindow {
  private newest = 0;
  private readonly words: Uint32Array;

  /** @param size counters behind the newest that are still told apart, a multiple of 32 */
  constructor(private readonly size = WINDOW_COUNTERS) {
    this.words = new Uint32Array(size / WORD_BITS + 1);
  }

  /** Whether `counter` was not seen before; it counts as seen from now on. */
  accept(counter: number): boolean {
    if (counter >= COUNTER_LIMIT || this.newest - counter > this.size) return false;
    if (counter > this.newest) this.slideTo(counter);
    const slot = this.slotOf(counter);
    const bit = 1 << (counter % WORD_BITS);
    if ((this.words[slot] & bit) !== 0) return false;
    this.words[slot] |= bit;
    return true;
  }

  private slideTo(counter: number): void {
    const from = Math.floor(this.newest / WORD_BITS);
    const steps = Math.floor(counter / WORD_BITS) - from;
    for (let step = 1; step <= Math.min(steps, this.words.length); step++) {
      this.words[(from + step) % this.words.length] = 0;
    }
    this.newest = counter;
  }

  private slotOf(counter: number): number {
    return Math.floor(counter / WORD_BITS) % this.words.length;
  }
}
