/**
 * The frames a sender has sent last, for repair.
 *
 *      ... forgotten | oldest <---- at most `frames` ----> newest | next
 *
 * A frame makes room for the one `frames` later. Whoever misses a forgotten frame is out of sync.
 */
import { dataSequence, encodeData } from "../frame/data.js";
import { REPAIR_HOLD_MS } from "../limits.js";
import { advance, distance } from "./sequence.js";

export class SendBuffer {
  private readonly bodies: (Uint8Array | undefined)[];
  private readonly sentMs: Float64Array;

  /**
   * @param next sequence number of the first frame, a u32
   * @param frames a power of two, so that slots follow each other around 2^32 too
   * @param total frames sent before, in former streams: a count that never goes around
   */
  constructor(
    public next: number,
    private readonly frames: number,
    public total = 0,
  ) {
    this.bodies = new Array(frames);
    this.sentMs = new Float64Array(frames);
  }

  /** Frames kept now. */
  get fill(): number {
    return this.bodies.reduce((count) => count + 1, 0); // holes are not visited
  }

  /** The body of the next frame, kept for repair. */
  push(payload: Uint8Array, now: number, isUrgent = false): Uint8Array {
    const body = encodeData(this.next, payload, isUrgent);
    const slot = this.next % this.frames;
    this.bodies[slot] = body;
    this.sentMs[slot] = now;
    this.next = advance(this.next);
    this.total += 1;
    return body;
  }

  /** Frames before `sequence`, in the count of `total`. */
  countBefore(sequence: number): number {
    return this.total - distance(sequence, this.next);
  }

  /** Whether a receiver that begins with `sequence` can get all frames from there on. */
  covers(sequence: number): boolean {
    const behind = distance(sequence, this.next);
    return behind === 0 || (behind > 0 && this.find(sequence) !== undefined);
  }

  has(sequence: number): boolean {
    return this.find(sequence) !== undefined;
  }

  /** The frame again, or null when it is forgotten or went out a moment ago. */
  repeat(sequence: number, now: number): Uint8Array | null {
    const body = this.find(sequence);
    const slot = sequence % this.frames;
    if (!body || now - this.sentMs[slot] < REPAIR_HOLD_MS) return null;
    this.sentMs[slot] = now;
    return body;
  }

  private find(sequence: number): Uint8Array | undefined {
    const body = this.bodies[sequence % this.frames];
    return body && dataSequence(body) === sequence ? body : undefined;
  }
}
