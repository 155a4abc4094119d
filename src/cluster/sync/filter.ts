/**
 * Which flows are replicated. The same rule guards the kernel against what peers say: a datagram
 * with a good seal still may not create a flow that the configuration does not know of.
 */
import type { Ends, Replicated } from "../flows/record.js";

/** Whether an address can be an end of a unicast flow. */
function isUnicast(address: Uint8Array): boolean {
  const first = address[0] as number;
  if (address.length === 16) return first !== 0xff;
  return first !== 0 && first < 224;
}

function isPlausible({ src, dst }: Ends): boolean {
  return src.length === dst.length && isUnicast(src) && isUnicast(dst);
}

/** @param protocols IANA numbers */
export function isReplicable(protocols: readonly number[]): (record: Replicated) => boolean {
  const wanted = new Set(protocols);
  return (record) => {
    if (!wanted.has(record.protocol) || !isPlausible(record.original)) return false;
    if (record.kind !== "flow") return isPlausible(record.master);
    return isPlausible(record.reply) && record.reply.src.length === record.original.src.length;
  };
}
