/**
 * RESYNC: "I cannot follow your stream; tell me where to begin and send your table." Repeated until
 * START answers it, so its loss costs one more wait.
 *
 *      0    address  12 bytes   see address.ts; count is 1
 *     12    ticket   u32        chosen by the asker, repeated in the answer
 */
import type { Member } from "../membership/view.js";
import { ADDRESS_BYTES, isAddressed, newAddressed, partCount } from "./address.js";
import { setU32, u32 } from "./bytes.js";
import { KIND } from "./kind.js";

const TICKET_BYTES = 4;

export function isResync(bytes: Uint8Array): boolean {
  return isAddressed(bytes, KIND.resync, TICKET_BYTES) && partCount(bytes) === 1;
}

/** The ticket of a body that `isResync` found to be one. */
export function resyncTicket(bytes: Uint8Array): number {
  return u32(bytes, ADDRESS_BYTES);
}

export function encodeResync(to: Member, ticket: number): Uint8Array {
  const bytes = newAddressed(KIND.resync, to, 1, TICKET_BYTES);
  setU32(bytes, ADDRESS_BYTES, ticket);
  return bytes;
}
