/**
 * A record as a string of the octets that it has on the wire: how it is kept. As an object, its
 * addresses alone would take several times the memory. What is asked of it often is answered
 * without unpacking it.
 */
import { ByteReader, ByteWriter } from "./cursor.js";
import { type Ends, isInverse, type Replicated } from "./record.js";
import { FLAG, IPV6_BYTES, PART, readRecord, writeEnds, writeRecord } from "./record-wire.js";

const scratch = new ByteWriter();

export function pack(record: Replicated): string {
  writeRecord(scratch, record);
  return scratch.takeText();
}

export function unpack(packed: string): Replicated {
  return readRecord(ByteReader.ofText(packed));
}

/** Whether two records differ in nothing but their time-outs, which shrink by themselves. */
export function saysTheSame(a: string, b: string): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  const timeout = timeoutAt(a);
  for (let at = 0; at < a.length; at++) {
    if (a.charCodeAt(at) !== b.charCodeAt(at) && at !== timeout) return false;
  }
  return true;
}

export function timeoutClassOf(packed: string): number {
  return packed.charCodeAt(timeoutAt(packed));
}

/**
 * Whether a packed record and another of its key are translated alike; see isTranslatedAlike. Asked
 * for each flow when the kernel's table is read, so nothing is unpacked for it.
 */
export function isPackedAlike(packed: string, record: Replicated): boolean {
  if (record.kind !== "flow") return true;
  const at = timeoutAt(packed);
  const hasReply = (packed.charCodeAt(at - 2) & PART.REPLY) !== 0;
  if (isInverse(record.reply, record.original)) return !hasReply;
  return hasReply && packed.startsWith(endsText(record.reply), at + 3);
}

function endsText(ends: Ends): string {
  writeEnds(scratch, ends);
  return scratch.takeText();
}

/** Where a packed record has its time-out. */
function timeoutAt(packed: string): number {
  const flags = packed.charCodeAt(0);
  const addressBytes = (flags & FLAG.IPV6) !== 0 ? IPV6_BYTES : 4;
  const identityBytes = 8 + 2 * addressBytes + ((flags & FLAG.ZONE) !== 0 ? 2 : 0);
  return identityBytes + ((flags & FLAG.EXPECTATION) !== 0 ? 1 : 2);
}
