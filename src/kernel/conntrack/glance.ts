/**
 * A look at an event without decoding it: which flow, whether it begins or is over, and whether a
 * later event says all that this one says. A tenth of the work of a decoder, and of most flows that
 * live for milliseconds it is all that is ever asked.
 */
import { NLM_F } from "../netlink.js";
import { CT, CTA } from "./constants.js";

/** nlmsg_pid of the header. */
const PORT_AT = 12;
/** Behind the header and nfgenmsg. */
const ATTRIBUTES_AT = 20;
const ATTRIBUTE_BYTES = 4;
const TYPE_MASK = 0x3fff;
/** TIME_WAIT and CLOSE (include/uapi/linux/netfilter/nf_conntrack_tcp.h). */
const OVER_FIRST = 7;
const OVER_LAST = 8;
/** In CTA_PROTOINFO: where that of TCP is if it comes first, and its state if that does. */
const TCP_AT = 4;
const TCP_STATE_AT = 8;
const FIRST_TYPE = 1;
/** Bytes of an address, by those of a tuple with ports, and where these are in it. */
const ADDRESS_BYTES: ReadonlyMap<number, number> = new Map([
  [52, 4],
  [76, 16],
]);
const FIRST_ADDRESS_AT = 12;
const FIRST_PORT_FROM_END = 12;
const SECOND_PORT_FROM_END = 4;
const PORT_BYTES = 2;

/** OTHER: not understood, so it has to be decoded; the rest of a glance does not hold then. */
export const KIND = { OTHER: 0, BORN: 1, CHANGED: 2, OVER: 3, GONE: 4 } as const;

/**
 * What every event says of its flow anew, or nobody asks for. An event with any other attribute
 * tells of a helper, a master, a zone or a shift, which the next one may leave out.
 */
const REPEATED: number =
  (1 << CTA.TUPLE_ORIG) |
  (1 << CTA.TUPLE_REPLY) |
  (1 << CTA.STATUS) |
  (1 << CTA.PROTOINFO) |
  (1 << CTA.TIMEOUT) |
  (1 << CTA.MARK) |
  (1 << CTA.COUNTERS_ORIG) |
  (1 << CTA.COUNTERS_REPLY) |
  (1 << CTA.USE) |
  (1 << CTA.ID);
const NEEDED: number = (1 << CTA.TUPLE_ORIG) | (1 << CTA.TUPLE_REPLY) | (1 << CTA.ID);

export class Glance {
  /** One of KIND. */
  kind: number = KIND.OTHER;
  /** The kernel's number of the flow, and a sum over its original tuple: together its name. */
  id = 0;
  sum = 0;
  /** Whether a packet caused it, and not a request to the kernel such as ours. */
  isByPacket = false;
  /** Whether it has a state of its protocol. */
  hasState = false;
  /** Whether the reply is the original the other way round; false where that is hard to see. */
  isInverse = false;

  /** Looks at the message that should fill `length` bytes from `at`. Never throws. */
  take(bytes: Uint8Array, at: number, length: number): void {
    this.kind = KIND.OTHER;
    if (length < ATTRIBUTES_AT || u32(bytes, at) !== length) return;
    const type = u16(bytes, at + 4);
    // The port of who asked for it; ctnetlink_conntrack_event in nf_conntrack_netlink.c.
    this.isByPacket = u32(bytes, at + PORT_AT) === 0;
    if (type !== CT.NEW && type !== CT.DELETE) return;
    const state = this.readAttributes(bytes, at + ATTRIBUTES_AT, at + length);
    if (state < 0) return;
    if (type === CT.DELETE) this.kind = KIND.GONE;
    else if (state >= OVER_FIRST && state <= OVER_LAST) this.kind = KIND.OVER;
    else if ((u16(bytes, at + 6) & (NLM_F.CREATE | NLM_F.EXCL)) !== 0) this.kind = KIND.BORN;
    else this.kind = KIND.CHANGED;
  }

  /** @returns the state of TCP, 0 for none; -1: not to be judged by a glance */
  private readAttributes(bytes: Uint8Array, from: number, end: number): number {
    let seen = 0;
    let state = 0;
    let [original, reply] = [0, 0];
    for (let at = from; at < end; ) {
      const length = at + ATTRIBUTE_BYTES <= end ? u16(bytes, at) : 0;
      if (length < ATTRIBUTE_BYTES || at + length > end) return -1;
      const type = u16(bytes, at + 2) & TYPE_MASK;
      if (type > CTA.ID || ((1 << type) & REPEATED) === 0) return -1;
      seen |= 1 << type;
      if (type === CTA.TUPLE_ORIG) original = at;
      else if (type === CTA.TUPLE_REPLY) reply = at;
      else if (type === CTA.ID && length >= 8) this.id = u32(bytes, at + ATTRIBUTE_BYTES);
      else if (type === CTA.PROTOINFO) state = stateIn(bytes, at, length);
      if (state < 0) return -1;
      at += (length + 3) & ~3;
    }
    if ((seen & NEEDED) !== NEEDED) return -1;
    this.hasState = (seen & (1 << CTA.PROTOINFO)) !== 0;
    this.sum = sumOf(bytes, original);
    this.isInverse = isInverse(bytes, original, reply);
    return state;
  }
}

function stateIn(bytes: Uint8Array, at: number, length: number): number {
  const isTcp =
    length > TCP_STATE_AT + ATTRIBUTE_BYTES &&
    (u16(bytes, at + TCP_AT + 2) & TYPE_MASK) === FIRST_TYPE &&
    (u16(bytes, at + TCP_STATE_AT + 2) & TYPE_MASK) === FIRST_TYPE;
  return isTcp ? (bytes[at + TCP_STATE_AT + ATTRIBUTE_BYTES] as number) : -1;
}

/** FNV-1a over an attribute, a byte after the other. */
function sumOf(bytes: Uint8Array, at: number): number {
  const end = at + u16(bytes, at);
  let sum = 0x811c9dc5 | 0;
  for (; at < end; at++) sum = Math.imul(sum ^ (bytes[at] as number), 0x01000193);
  return sum;
}

/** @param original where the attribute with the original tuple begins; the same for `reply` */
function isInverse(bytes: Uint8Array, original: number, reply: number): boolean {
  const length = u16(bytes, original);
  const size = ADDRESS_BYTES.get(length);
  if (size === undefined || u16(bytes, reply) !== length) return false;
  const second = FIRST_ADDRESS_AT + size + ATTRIBUTE_BYTES;
  const from = length - FIRST_PORT_FROM_END;
  const to = length - SECOND_PORT_FROM_END;
  return (
    isSame(bytes, original + FIRST_ADDRESS_AT, reply + second, size) &&
    isSame(bytes, original + second, reply + FIRST_ADDRESS_AT, size) &&
    isSame(bytes, original + from, reply + to, PORT_BYTES) &&
    isSame(bytes, original + to, reply + from, PORT_BYTES)
  );
}

function isSame(bytes: Uint8Array, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}

/** As a signed number, which is as good a name. */
function u32(bytes: Uint8Array, at: number): number {
  return u16(bytes, at) | (u16(bytes, at + 2) << 16);
}
