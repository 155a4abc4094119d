/**
 * The memory of one batch: what a capture fills, what the loop decides, what the capture settles.
 */
import { BATCH_MAX, DESCRIPTOR, SLOT_HEADROOM } from "../platform/native.js";

/** Verdicts as netfilter numbers them (linux/netfilter.h). */
export const NF_DROP = 0;
export const NF_ACCEPT = 1;

/** Allocated once per worker; nothing in it is allocated again per packet. */
export class Batch {
  /** Slots of `slotBytes`, each with one message and the packet somewhere in it. */
  readonly bytes: Uint8Array;
  readonly slotBytes: number;
  readonly descriptors: Int32Array;
  readonly verdicts: Int32Array;
  readonly marks: Int32Array;
  /** Until a packet is judged: what its dissector said. */
  readonly reasons: Uint8Array;
  count = 0;

  /** @param copyRangeBytes most bytes of a packet that the kernel copies */
  constructor(copyRangeBytes: number) {
    this.slotBytes = (copyRangeBytes + SLOT_HEADROOM + 7) & ~7;
    this.bytes = new Uint8Array(new SharedArrayBuffer(this.slotBytes * BATCH_MAX));
    this.descriptors = new Int32Array(new SharedArrayBuffer(DESCRIPTOR.STRIDE * BATCH_MAX * 4));
    this.verdicts = new Int32Array(BATCH_MAX);
    this.marks = new Int32Array(BATCH_MAX);
    this.reasons = new Uint8Array(BATCH_MAX);
  }

  /** Word of the descriptor of packet `index`. */
  word(index: number, word: number): number {
    return this.descriptors[index * DESCRIPTOR.STRIDE + word] as number;
  }
}
