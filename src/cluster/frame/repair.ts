/**
 * REPAIR: "my flows of these buckets of yours differ; send them again". Repeated while they differ,
 * so its loss costs one more wait.
 *
 *      0    address  12 bytes   see address.ts; count of buckets, 1..REPAIR_BUCKETS_MAX
 *     12    buckets: u16 each
 */
import { REPAIR_BUCKETS_MAX } from "../limits.js";
import type { Member } from "../membership/view.js";
import { ADDRESS_BYTES, isAddressed, newAddressed, partCount } from "./address.js";
import { setU16, u16 } from "./bytes.js";
import { KIND } from "./kind.js";

const BUCKET_BYTES = 2;

/** Whether `bytes` are a REPAIR in every respect but the number of buckets of the cluster. */
export function isRepair(bytes: Uint8Array): boolean {
  if (!isAddressed(bytes, KIND.repair, BUCKET_BYTES)) return false;
  return partCount(bytes) > 0 && partCount(bytes) <= REPAIR_BUCKETS_MAX;
}

/** The buckets of a body that `isRepair` found to be one. */
export function repairBuckets(bytes: Uint8Array): number[] {
  return Array.from({ length: partCount(bytes) }, (_, index) =>
    u16(bytes, ADDRESS_BYTES + index * BUCKET_BYTES),
  );
}

/** Encodes at most `REPAIR_BUCKETS_MAX` buckets. */
export function encodeRepair(to: Member, buckets: readonly number[]): Uint8Array {
  const bytes = newAddressed(KIND.repair, to, buckets.length, BUCKET_BYTES);
  buckets.forEach((bucket, index) => {
    setU16(bytes, ADDRESS_BYTES + index * BUCKET_BYTES, bucket);
  });
  return bytes;
}
