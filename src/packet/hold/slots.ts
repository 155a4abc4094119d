/** The packets that are held: a bounded number of slots, each named by a ticket. */
import { HELD_PACKETS_MAX } from "../../config/limits.js";

/** No slot is free, or none has this ticket. */
export const NO_SLOT = -1;

export class Slots {
  /** Per slot: the kernel's packet id, its mark, the hashes of its flow, and since when. */
  readonly ids = new Int32Array(HELD_PACKETS_MAX);
  readonly marks = new Int32Array(HELD_PACKETS_MAX);
  readonly places = new Int32Array(HELD_PACKETS_MAX);
  readonly prints = new Int32Array(HELD_PACKETS_MAX);
  readonly sinceMs = new Float64Array(HELD_PACKETS_MAX).fill(Number.NaN);
  used = 0;
  private readonly tickets = new Int32Array(HELD_PACKETS_MAX);
  private readonly free = Int32Array.from({ length: HELD_PACKETS_MAX }, (_, slot) => slot);

  /** @param life differs from that of a predecessor, whose answers may still come */
  constructor(private life: number) {}

  /** Takes a slot; `ticketOf` names it. */
  take(): number {
    if (this.used === HELD_PACKETS_MAX) return NO_SLOT;
    const slot = this.free[this.used] as number;
    this.used += 1;
    this.life = (this.life + 1) | 0;
    this.tickets[slot] = Math.imul(this.life, HELD_PACKETS_MAX) + slot;
    return slot;
  }

  ticketOf(slot: number): number {
    return this.tickets[slot] as number;
  }

  /** The slot of a ticket that is still held. */
  find(ticket: number): number {
    const slot = ticket & (HELD_PACKETS_MAX - 1);
    const isHeld = this.tickets[slot] === ticket && !Number.isNaN(this.sinceMs[slot]);
    return isHeld ? slot : NO_SLOT;
  }

  give(slot: number): void {
    this.sinceMs[slot] = Number.NaN;
    this.used -= 1;
    this.free[this.used] = slot;
  }

  isLate(slot: number, beforeMs: number): boolean {
    return (this.sinceMs[slot] as number) <= beforeMs;
  }
}
