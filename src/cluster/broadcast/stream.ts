/**
 * One sender's stream as a receiver follows it: in order, each frame once.
 *
 *      waiting  -- begin(base) -->  following  -- gap longer than the sender's buffer -->  waiting
 *
 *      delivered | expected ... held, with gaps ... highest
 *                  ^ the first missing frame: asked for with NAK until it is here
 *
 * While waiting, frames are held too: those from the base on need not be asked for again.
 */
import type { SequenceRun } from "../frame/nak.js";
import {
  HELD_FRAMES_MAX,
  NAK_DELAY_MS,
  NAK_FRAMES_MAX,
  NAK_REPEAT_MS,
  NAK_RUNS_MAX,
} from "../limits.js";
import { advance, distance } from "./sequence.js";

export type Taking = "taken" | "duplicate" | "notHeld" | "outOfSync";

export class Stream {
  isFollowing = false;
  /** The next frame to deliver; means nothing while waiting. */
  expected = 0;
  /** The newest frame known to have been sent; means nothing while waiting. */
  private highest = 0;
  private readonly held = new Map<number, Uint8Array>();
  private nakMs = Number.POSITIVE_INFINITY;

  /** @param frames length of the sender's buffer */
  constructor(private readonly frames: number) {}

  /** Frames known to have been sent and not delivered. */
  get lag(): number {
    return this.isFollowing ? distance(this.expected, this.highest) + 1 : 0;
  }

  /** Frames held behind a gap. */
  get heldFrames(): number {
    return this.held.size;
  }

  /** Delivers from `base` on; nothing before it, whatever was held. */
  begin(base: number): void {
    this.isFollowing = true;
    this.expected = base;
    this.highest = advance(base, -1);
    this.nakMs = Number.NEGATIVE_INFINITY;
    for (const sequence of [...this.held.keys()]) {
      const ahead = distance(base, sequence);
      if (ahead < 0 || ahead >= this.frames) this.held.delete(sequence);
      else if (distance(this.highest, sequence) > 0) this.highest = sequence;
    }
  }

  /** Forgets everything and waits for a new base. */
  drop(): void {
    this.isFollowing = false;
    this.held.clear();
  }

  /** Takes a frame with its body; `next` then hands out what has become deliverable. */
  take(sequence: number, body: Uint8Array, now: number): Taking {
    if (this.isFollowing) {
      if (distance(this.expected, sequence) < 0) return "duplicate";
      if (!this.hear(sequence, now)) return "outOfSync";
    }
    if (this.held.has(sequence)) return "duplicate";
    if (this.held.size >= HELD_FRAMES_MAX && sequence !== this.expected) return "notHeld";
    this.held.set(sequence, body);
    return "taken";
  }

  /** Learns that frames up to `sequence` were sent; false when they are out of reach. */
  hear(sequence: number, now: number): boolean {
    if (!this.isFollowing) return true;
    if (distance(this.expected, sequence) >= this.frames) return false;
    if (distance(this.highest, sequence) > 0) {
      this.highest = sequence;
      if (this.nakMs === Number.POSITIVE_INFINITY) this.nakMs = now + NAK_DELAY_MS;
    }
    return true;
  }

  /** The body of the next frame in order, or null. */
  next(): Uint8Array | null {
    if (!this.isFollowing) return null;
    const body = this.held.get(this.expected);
    if (!body) return null;
    this.held.delete(this.expected);
    this.expected = advance(this.expected);
    return body;
  }

  /** What to ask for now: nothing while no frame is missing or the last NAK is young. */
  naks(now: number): SequenceRun[] {
    if (this.lag === 0) this.nakMs = Number.POSITIVE_INFINITY;
    if (!this.isFollowing || now < this.nakMs) return [];
    this.nakMs = now + NAK_REPEAT_MS;
    return this.missing();
  }

  private missing(): SequenceRun[] {
    const runs: { first: number; frames: number }[] = [];
    let asked = 0;
    const end = advance(this.highest);
    for (let at = this.expected; at !== end && asked < NAK_FRAMES_MAX; at = advance(at)) {
      if (this.held.has(at)) continue;
      const last = runs.at(-1);
      if (last && advance(last.first, last.frames) === at) last.frames += 1;
      else if (runs.length < NAK_RUNS_MAX) runs.push({ first: at, frames: 1 });
      else break;
      asked += 1;
    }
    return runs;
  }
}
