/**
 * Community ID version 1, seed 0: a name of a flow that other tools (Zeek, Suricata, Wireshark)
 * compute alike. See https://github.com/corelight/community-id-spec.
 */
import { createHash } from "node:crypto";
import { PROTOCOL } from "./constants.js";
import type { Tuple } from "./record.js";
import { addressBytes, answerType, isIcmp } from "./tuple.js";

const SEED_BYTES = 2;
const TAIL_BYTES = 6;

/** What the two ends of a tuple are called in the hash: ports, or ICMP type and its answer. */
interface Ends {
  readonly from: number;
  readonly to: number;
  /** An ICMP message that nobody answers keeps its direction. */
  readonly isOneWay: boolean;
}

/** `1:` and base64 of the SHA-1 over both ends, the smaller first. The same in both directions. */
export function communityId(tuple: Tuple): string {
  const length = addressBytes(tuple.family);
  const src = tuple.src.subarray(0, length);
  const dst = tuple.dst.subarray(0, length);
  const { from, to, isOneWay } = endsOf(tuple);
  const order = Buffer.compare(src, dst);
  const isSwapped = !isOneWay && (order > 0 || (order === 0 && from > to));
  const bytes = Buffer.alloc(SEED_BYTES + 2 * length + TAIL_BYTES);
  bytes.set(isSwapped ? dst : src, SEED_BYTES);
  bytes.set(isSwapped ? src : dst, SEED_BYTES + length);
  let at = SEED_BYTES + 2 * length;
  at = bytes.writeUInt8(tuple.protocol, at) + 1; // one byte of padding
  if (hasEnds(tuple)) {
    at = bytes.writeUInt16BE(isSwapped ? to : from, at);
    at = bytes.writeUInt16BE(isSwapped ? from : to, at);
  }
  return `1:${createHash("sha1").update(bytes.subarray(0, at)).digest("base64")}`;
}

const WITH_PORTS: readonly number[] = [PROTOCOL.TCP, PROTOCOL.UDP, PROTOCOL.SCTP];

function hasEnds(tuple: Tuple): boolean {
  return isIcmp(tuple) || WITH_PORTS.includes(tuple.protocol);
}

function endsOf(tuple: Tuple): Ends {
  if (!isIcmp(tuple)) return { from: tuple.srcPort, to: tuple.dstPort, isOneWay: false };
  const answer = answerType(tuple.protocol, tuple.icmpType);
  return { from: tuple.icmpType, to: answer ?? tuple.icmpCode, isOneWay: answer === undefined };
}
