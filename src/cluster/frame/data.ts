/**
 * DATA: one numbered frame of a sender's reliable stream. A lost one is asked for again with NAK,
 * so its loss costs a round trip.
 *
 *      0    kind      u8      3
 *      1    urgent    u8      1: receivers acknowledge it at once
 *      2    zero      u8[2]
 *      4    sequence  u32     one more than in the frame before, around 2^32
 *      8    payload           what the layer above made of it; at least one byte
 */
import { setU32, u32 } from "./bytes.js";
import { KIND } from "./kind.js";

const AT_URGENT = 1;
const AT_SEQUENCE = 4;
export const DATA_HEADER_BYTES = 8;

export function isData(bytes: Uint8Array): boolean {
  return bytes.length > DATA_HEADER_BYTES && bytes[0] === KIND.data;
}

/** The sequence number of a body that `isData` found to be one. */
export function dataSequence(bytes: Uint8Array): number {
  return u32(bytes, AT_SEQUENCE);
}

/** The payload of such a body; it shares the memory of `bytes`. */
export function dataPayload(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(DATA_HEADER_BYTES);
}

/** Whether the sender waits for the acknowledgement of such a body. */
export function isUrgent(bytes: Uint8Array): boolean {
  return bytes[AT_URGENT] === 1;
}

export function encodeData(sequence: number, payload: Uint8Array, urgent = false): Uint8Array {
  const bytes = new Uint8Array(DATA_HEADER_BYTES + payload.length);
  bytes[0] = KIND.data;
  bytes[AT_URGENT] = urgent ? 1 : 0;
  setU32(bytes, AT_SEQUENCE, sequence);
  bytes.set(payload, DATA_HEADER_BYTES);
  return bytes;
}
