/**
 * Which flows are replicated. The same rule guards the kernel against what peers say: a datagram
 * with a good seal still may not create a flow that the configuration does not know of.
 */
import type { Ends, Expectation, Replicated } from "../flows/record.js";

/** Whether an address can be an end of a unicast flow. */
function isUnicast(address: Uint8Array): boolean {
  const first = address[0] as number;
  if (address.length === 16) return first !== 0xff;
  return first !== 0 && first < 224;
}

function isPlausible({ src, dst }: Ends): boolean {
  return src.length === dst.length && isUnicast(src) && isUnicast(dst);
}

const isZero = (address: Uint8Array) => address.every((byte) => byte === 0);

/** From whom a flow is expected may be open (SIP); to whom never is. */
function isPlausibleExpectation({ original, mask, master, nat }: Expectation): boolean {
  const { src, dst } = original;
  const isFromAnybody = isZero(src) && isZero(mask.src);
  const sizes = [dst, mask.src, mask.dst, master.src, ...(nat ? [nat.src, nat.dst] : [])];
  return (
    sizes.every(({ length }) => length === src.length) &&
    (isFromAnybody || isUnicast(src)) &&
    isUnicast(dst) &&
    isPlausible(master)
  );
}

/** @param protocols IANA numbers */
export function isReplicable(protocols: readonly number[]): (record: Replicated) => boolean {
  const wanted = new Set(protocols);
  return (record) => {
    if (!wanted.has(record.protocol)) return false;
    if (record.kind === "expectation") {
      return wanted.has(record.master.protocol) && isPlausibleExpectation(record);
    }
    if (!isPlausible(record.original)) return false;
    return isPlausible(record.reply) && record.reply.src.length === record.original.src.length;
  };
}
