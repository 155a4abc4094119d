/** Flows for tests, made from a number. */
import type { Flow } from "../../../src/cluster/flows/record.js";
import { inverse } from "../../../src/cluster/flows/record.js";

export const ASSURED = 0x2 | 0x4 | 0x8;
export const REPLIED = 0x2 | 0x8;

/** The established, assured TCP flow number `index`, in its bucket. */
export function flow(index: number, bucket: number, own: Partial<Flow> = {}): Flow {
  const original = {
    src: Uint8Array.from([10, (index >>> 16) & 255, (index >>> 8) & 255, index & 255]),
    dst: Uint8Array.from([192, 0, 2, 1]),
    srcPort: 1024 + (index % 60_000),
    dstPort: 443,
  };
  return {
    kind: "flow",
    protocol: 6,
    bucket,
    zone: 0,
    timeoutClass: 75,
    helper: "",
    original,
    reply: inverse(original),
    state: "established",
    status: ASSURED,
    mark: 0,
    master: null,
    shifts: null,
    vtags: null,
    ...own,
  };
}
