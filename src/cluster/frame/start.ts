/**
 * START: the answer to RESYNC. "Follow my stream from this frame on; my table is in it." The asker
 * repeats its RESYNC while START has not come, so its loss costs one more wait.
 *
 *      0    address   12 bytes   see address.ts; count is 1
 *     12    ticket    u32        of the RESYNC that is answered
 *     16    sequence  u32        the first frame to be delivered
 */
import type { Member } from "../membership/view.js";
import { ADDRESS_BYTES, isAddressed, newAddressed, partCount } from "./address.js";
import { setU32, u32 } from "./bytes.js";
import { KIND } from "./kind.js";

const AT_SEQUENCE = ADDRESS_BYTES + 4;
const ANSWER_BYTES = 8;

export interface Start {
  readonly ticket: number;
  readonly sequence: number;
}

export function isStart(bytes: Uint8Array): boolean {
  return isAddressed(bytes, KIND.start, ANSWER_BYTES) && partCount(bytes) === 1;
}

/** Reads what `isStart` found to be one. */
export function readStart(bytes: Uint8Array): Start {
  return { ticket: u32(bytes, ADDRESS_BYTES), sequence: u32(bytes, AT_SEQUENCE) };
}

export function encodeStart(to: Member, start: Start): Uint8Array {
  const bytes = newAddressed(KIND.start, to, 1, ANSWER_BYTES);
  setU32(bytes, ADDRESS_BYTES, start.ticket);
  setU32(bytes, AT_SEQUENCE, start.sequence);
  return bytes;
}
