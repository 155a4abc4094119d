/**
 * Frames that peers miss, each once however many ask, sent at a bounded rate: neither a storm of
 * NAKs nor a peer gone mad can make this node send more.
 */
import type { SequenceRun } from "../frame/nak.js";
import { NAK_FRAMES_MAX, REPAIRS_PER_TICK } from "../limits.js";
import type { SendBuffer } from "./send-buffer.js";
import { advance } from "./sequence.js";

export class Repairs {
  private readonly wanted = new Set<number>();

  get size(): number {
    return this.wanted.size;
  }

  ask(runs: readonly SequenceRun[]): void {
    let left = NAK_FRAMES_MAX;
    for (const { first, frames } of runs) {
      for (let index = 0; index < frames && left > 0; index++, left--) {
        this.wanted.add(advance(first, index));
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
