/**
 * ACK: "so far I have come with the streams of all of you, and this is how I am myself". Sent in a
 * steady interval, at once when a frame asks for it, and at once when the own condition changes, so
 * its loss costs one more wait.
 *
 *      0    kind      u8      8
 *      1    reasons   u8      bits of DEGRADED; 0: all is well
 *      2    count     u16     how many parts follow, 0..NODES_MAX - 1
 *      4    number    u32     ACKs of this incarnation; an older one is not news
 *      8    degraded  u32     milliseconds that the sender has been degraded
 *     12    parts:
 *            0  node         u8      whose stream it is
 *            1  flags        u8      1 it is followed, 2 its table is complete here
 *            2  lag          u16     frames known to be sent and not here; 65535: as many or more
 *            4  next         u32     the first frame that was not delivered
 *            8  incarnation  u64     of `node`
 */
import { NODES_MAX } from "../limits.js";
import type { Member } from "../membership/view.js";
import { setU16, setU32, setU64, u16, u32, u64 } from "./bytes.js";
import { KIND } from "./kind.js";

const AT_REASONS = 1;
const AT_COUNT = 2;
const AT_NUMBER = 4;
const AT_DEGRADED = 8;
const AT_PARTS = 12;
const PART_BYTES = 16;
const FOLLOWING = 1;
const COMPLETE = 2;
const LAG_MAX = 0xffff;

/** Why what a node tells of its flows may be out of date. */
export const DEGRADED = {
  /** The kernel has dropped events; its table is being read again. */
  EVENTS_LOST: 1,
  /** The kernel's table is being read for another reason: a start, or a resync. */
  READING: 2,
} as const;

/** How far the sender of an ACK has come with one stream. */
export interface Followed extends Member {
  readonly isFollowing: boolean;
  readonly isComplete: boolean;
  readonly lag: number;
  readonly next: number;
}

/** What an ACK says of its sender itself. */
export interface AckHead {
  readonly reasons: number;
  readonly degradedMs: number;
  readonly number: number;
}

export interface Ack extends AckHead {
  readonly followed: readonly Followed[];
}

export function isAck(bytes: Uint8Array): boolean {
  if (bytes.length < AT_PARTS || bytes[0] !== KIND.ack) return false;
  const count = u16(bytes, AT_COUNT);
  if (count >= NODES_MAX || bytes.length !== AT_PARTS + count * PART_BYTES) return false;
  for (let at = AT_PARTS; at < bytes.length; at += PART_BYTES) if (bytes[at] === 0) return false;
  return true;
}

/** Reads what `isAck` found to be one. */
export function readAckHead(bytes: Uint8Array): AckHead {
  return {
    reasons: bytes[AT_REASONS],
    degradedMs: u32(bytes, AT_DEGRADED),
    number: u32(bytes, AT_NUMBER),
  };
}

/** What such an ACK says of the stream of one node, nearly always the reader; null: nothing. */
export function readFollowed(bytes: Uint8Array, of: Member): Followed | null {
  for (let at = AT_PARTS; at < bytes.length; at += PART_BYTES) {
    if (bytes[at] !== of.node || u64(bytes, at + 8) !== of.incarnation) continue;
    return readPart(bytes, at);
  }
  return null;
}

function readPart(bytes: Uint8Array, at: number): Followed {
  const flags = bytes[at + 1];
  return {
    node: bytes[at],
    incarnation: u64(bytes, at + 8),
    isFollowing: (flags & FOLLOWING) !== 0,
    isComplete: (flags & COMPLETE) !== 0,
    lag: u16(bytes, at + 2),
    next: u32(bytes, at + 4),
  };
}

/** Encodes at most `NODES_MAX - 1` parts. */
export function encodeAck(ack: Ack): Uint8Array {
  const bytes = new Uint8Array(AT_PARTS + ack.followed.length * PART_BYTES);
  bytes[0] = KIND.ack;
  bytes[AT_REASONS] = ack.reasons;
  setU16(bytes, AT_COUNT, ack.followed.length);
  setU32(bytes, AT_NUMBER, ack.number);
  setU32(bytes, AT_DEGRADED, Math.min(0xffff_ffff, Math.round(ack.degradedMs)));
  ack.followed.forEach((each, index) => {
    const at = AT_PARTS + index * PART_BYTES;
    bytes[at] = each.node;
    bytes[at + 1] = (each.isFollowing ? FOLLOWING : 0) | (each.isComplete ? COMPLETE : 0);
    setU16(bytes, at + 2, Math.min(LAG_MAX, each.lag));
    setU32(bytes, at + 4, each.next);
    setU64(bytes, at + 8, each.incarnation);
  });
  return bytes;
}
