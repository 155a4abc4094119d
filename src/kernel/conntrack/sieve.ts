/**
 * Keeps back the events of flows that were just born, undecoded, and forgets those of flows that
 * end meanwhile: of a connection that lives for milliseconds nobody ever asks.
 *
 *      NEW ........ UPDATE ........ UPDATE ........ waited: the last one goes on
 *      NEW ........ UPDATE ........ over, DESTROY: nothing goes on
 *
 * What it does not understand at a glance goes on at once, behind what is kept of the same flow, so
 * that the events of a flow never change their order. Bounded: without room for a flow, its events
 * go on as they come.
 */
import { Glance, KIND } from "./glance.js";

/** Events kept back, and bytes of each. A power of two. */
const SLOTS = 4096;
const SLOT_BYTES = 512;
/**
 * Flows that have ended and whose DESTROY comes later (TCP keeps them for TIME_WAIT, 120 s). One
 * that another takes the place of is only decoded for nothing. A power of two.
 */
const OVER_SLOTS = 1 << 20;

export interface SieveSettings {
  /** Milliseconds that newborn flows are kept back. */
  readonly waitMs: number;
  /** Whether flows that are translated are not kept back, nor what is not TCP or UDP. */
  readonly isPlainOnly: boolean;
}

/** Takes an event that is to be decoded. */
export type OnEvent = (bytes: Buffer, at: number, length: number) => void;

export class Sieve {
  /** Flows whose events were all forgotten. */
  coalesced = 0;
  /** Everything goes on at once, and nothing is kept. */
  private isOpen = false;
  private readonly glance = new Glance();
  private readonly bytes = Buffer.alloc(SLOTS * SLOT_BYTES);
  private readonly lengths = new Int32Array(SLOTS);
  private readonly ids = new Int32Array(SLOTS);
  private readonly sums = new Int32Array(SLOTS);
  private readonly stateful = new Uint8Array(SLOTS);
  private readonly bornMs = new Float64Array(SLOTS);
  /** Slot of a flow, by its id. */
  private readonly kept = new Map<number, number>();
  /** Slots in use, oldest first, in the count of all that ever were; some are empty by now. */
  private first = 0;
  private next = 0;
  private readonly overIds = new Int32Array(OVER_SLOTS);
  private readonly overSums = new Int32Array(OVER_SLOTS);

  constructor(
    private readonly settings: SieveSettings,
    private readonly onEvent: OnEvent,
  ) {}

  /** When the first flow has waited long enough; Infinity: none waits. */
  get dueMs(): number {
    for (; this.first < this.next; this.first++) {
      const slot = this.first & (SLOTS - 1);
      if (this.lengths[slot] !== 0) return (this.bornMs[slot] as number) + this.settings.waitMs;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** Takes a datagram of the kernel: decoded now, kept back, or forgotten. */
  offer(bytes: Buffer, at: number, length: number, now: number): void {
    const { glance } = this;
    glance.take(bytes, at, length);
    const slot = this.isOpen || glance.kind === KIND.OTHER ? undefined : this.kept.get(glance.id);
    if (slot !== undefined && this.sums[slot] === glance.sum) {
      this.again(slot, bytes, at, length);
    } else if (glance.kind === KIND.BORN && slot === undefined && this.mayKeep(length)) {
      this.keep(bytes, at, length, now);
    } else if (glance.kind === KIND.OTHER) {
      // It may be of any flow.
      this.release(Number.POSITIVE_INFINITY);
      this.onEvent(bytes, at, length);
    } else if (!this.wasOver()) this.onEvent(bytes, at, length);
  }

  /** Passes on what has waited long enough at `now`; all of it at Infinity. */
  release(now: number): void {
    const { waitMs } = this.settings;
    for (; this.first < this.next; this.first++) {
      const slot = this.first & (SLOTS - 1);
      if ((this.bornMs[slot] as number) + waitMs > now) return;
      if (this.lengths[slot] !== 0) this.pass(slot);
    }
  }

  /** From now on all goes on as it comes, ends of what was forgotten too; or no longer so. */
  open(isOpen: boolean): void {
    if (this.isOpen === isOpen) return;
    this.isOpen = isOpen;
    if (!isOpen) return;
    this.release(Number.POSITIVE_INFINITY);
    this.overIds.fill(0);
  }

  /** A further event of a flow that is kept back. */
  private again(slot: number, bytes: Buffer, at: number, length: number): void {
    const { kind, hasState } = this.glance;
    if (kind === KIND.OVER || kind === KIND.GONE) {
      this.forget(slot);
      this.coalesced++;
      if (kind === KIND.OVER) this.noteOver();
    } else if (length <= SLOT_BYTES && (hasState || this.stateful[slot] === 0)) {
      this.write(slot, bytes, at, length);
    } else {
      // It does not say all that was said before.
      this.pass(slot);
      this.onEvent(bytes, at, length);
    }
  }

  private mayKeep(length: number): boolean {
    const { isByPacket, isInverse } = this.glance;
    // Of a flow that was put into the table, replication knows already: its end has to be told.
    if (this.isOpen || !isByPacket || (this.settings.isPlainOnly && !isInverse)) return false;
    return length <= SLOT_BYTES && this.next - this.first < SLOTS;
  }

  private keep(bytes: Buffer, at: number, length: number, now: number): void {
    const slot = this.next++ & (SLOTS - 1);
    this.wasOver(); // The kernel may give an id again.
    this.kept.set(this.glance.id, slot);
    this.ids[slot] = this.glance.id;
    this.sums[slot] = this.glance.sum;
    this.bornMs[slot] = now;
    this.write(slot, bytes, at, length);
  }

  private write(slot: number, bytes: Buffer, at: number, length: number): void {
    bytes.copy(this.bytes, slot * SLOT_BYTES, at, at + length);
    this.lengths[slot] = length;
    this.stateful[slot] = this.glance.hasState ? 1 : 0;
  }

  private pass(slot: number): void {
    const length = this.lengths[slot] as number;
    this.forget(slot);
    this.onEvent(this.bytes, slot * SLOT_BYTES, length);
  }

  private forget(slot: number): void {
    this.kept.delete(this.ids[slot] as number);
    this.lengths[slot] = 0;
  }

  private noteOver(): void {
    const { id, sum } = this.glance;
    this.overIds[id & (OVER_SLOTS - 1)] = id;
    this.overSums[id & (OVER_SLOTS - 1)] = sum;
  }

  /** Whether this is the end of a flow that was forgotten when it was over. */
  private wasOver(): boolean {
    const { kind, id, sum } = this.glance;
    const at = id & (OVER_SLOTS - 1);
    if (this.overIds[at] !== id || this.overSums[at] !== sum) return false;
    if (kind === KIND.OVER) return true;
    this.overIds[at] = 0;
    this.overSums[at] = 0;
    return kind === KIND.GONE;
  }
}
