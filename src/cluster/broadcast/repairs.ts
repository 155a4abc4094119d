/**
 * Frames that peers miss, each once however many ask, sent at a bounded rate: neither a storm of
 * NAKs nor a peer gone mad can make this node send more.
 */
import type { SequenceRun } from "../frame/nak.js";
import { NAK_FRAMES_MAX, NAK_REPEAT_MS, REPAIRS_PER_TICK } from "../limits.js";
import type { SendBuffer } from "./send-buffer.js";
import { advance } from "./sequence.js";

export class Repairs {
  /** NAKs that were not heeded. */
  tooSoon = 0;
  private readonly wanted = new Set<number>();
  /** When the last NAK of a node was heeded. */
  private readonly heardMs = new Map<number, number>();

  get size(): number {
    return this.wanted.size;
  }

  /**
   * Notes what `node` misses and the buffer still has: so at most its frames can wait. A NAK that
   * comes sooner than a peer repeats itself is a copy, or the peer has gone mad.
   */
  ask(node: number, runs: readonly SequenceRun[], buffer: SendBuffer, now: number): void {
    if (now - (this.heardMs.get(node) ?? Number.NEGATIVE_INFINITY) < NAK_REPEAT_MS / 2) {
      this.tooSoon += 1;
      return;
    }
    this.heardMs.set(node, now);
    let left = NAK_FRAMES_MAX;
    for (const { first, frames } of runs) {
      for (let index = 0; index < frames && left > 0; index++, left--) {
        const sequence = advance(first, index);
        if (buffer.has(sequence)) this.wanted.add(sequence);
      }
    }
  }

  /** The bodies to send in this tick. */
  take(buffer: SendBuffer, now: number): Uint8Array[] {
    const bodies: Uint8Array[] = [];
    for (const sequence of this.wanted) {
      if (bodies.length >= REPAIRS_PER_TICK) break;
      this.wanted.delete(sequence);
      const body = buffer.repeat(sequence, now);
      if (body) bodies.push(body);
    }
    return bodies;
  }
}
