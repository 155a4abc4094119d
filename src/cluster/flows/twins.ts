/**
 * One connection that two nodes have let in, each as a flow of its own. Where only the opener's
 * address is hashed, a node that has not seen a request takes the answer to it for a flow:
 *
 *      client -> server    let in by the owner of the client's bucket
 *      server -> client    let in by the owner of the server's, who missed the request
 *
 * To a kernel both are one, which it finds by either tuple. If each node wrote what it is told,
 * each would give its flow the bucket of the other, and nobody would forward it. So of two twins
 * that a table knows, all nodes let the same one into the kernel; the other is kept and told, and
 * ends with its kernel's entry.
 */
import { inverse, isInverse, type Replicated } from "./record.js";
import { keyOf } from "./record-wire.js";

/** A reply has a type of its own there, which begins no flow. */
const ICMP: readonly number[] = [1, 58];

/** Key of the flow that `record` would be the answer to; null: it can be none. */
export function twinKeyOf(record: Replicated): string | null {
  if (record.kind !== "flow" || ICMP.includes(record.protocol)) return null;
  if (!isInverse(record.original, record.reply)) return null;
  return keyOf({ ...record, original: inverse(record.original) });
}

/** Which of two twins is in the kernel: any rule does that is the same on all nodes. */
export function goesBefore(key: string, twinKey: string): boolean {
  return key < twinKey;
}
