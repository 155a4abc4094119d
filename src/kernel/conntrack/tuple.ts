/** Tuples: reading and writing them, their inverse, and the NAT that two of them imply. */
import type { NetlinkWriter } from "../netlink.js";
import type { AttributeReader } from "./attributes.js";
import { CTA_IP, CTA_PROTO, CTA_TUPLE, PROTOCOL } from "./constants.js";
import { copyTuple, type Tuple } from "./record.js";

const IPV4_BYTES = 4;
const IPV6_BYTES = 16;

export function addressBytes(family: number): number {
  return family === 4 ? IPV4_BYTES : IPV6_BYTES;
}

export function readTuple(reader: AttributeReader, tuple: Tuple): void {
  while (reader.next()) {
    if (reader.type === CTA_TUPLE.IP) reader.nest(readAddresses, tuple);
    else if (reader.type === CTA_TUPLE.PROTO) reader.nest(readProtocol, tuple);
    else if (reader.type === CTA_TUPLE.ZONE) tuple.zone = reader.u16();
  }
}

function readAddresses(reader: AttributeReader, tuple: Tuple): void {
  while (reader.next()) {
    const { type } = reader;
    if (type < CTA_IP.V4_SRC || type > CTA_IP.V6_DST) continue;
    tuple.family = type < CTA_IP.V6_SRC ? 4 : 6;
    const isSource = type === CTA_IP.V4_SRC || type === CTA_IP.V6_SRC;
    reader.copy(isSource ? tuple.src : tuple.dst, addressBytes(tuple.family));
  }
}

function readProtocol(reader: AttributeReader, tuple: Tuple): void {
  while (reader.next()) {
    switch (reader.type) {
      case CTA_PROTO.NUM:
        tuple.protocol = reader.u8();
        break;
      case CTA_PROTO.SRC_PORT:
        tuple.srcPort = reader.u16();
        break;
      case CTA_PROTO.DST_PORT:
        tuple.dstPort = reader.u16();
        break;
      case CTA_PROTO.ICMP_ID:
      case CTA_PROTO.ICMPV6_ID:
        tuple.icmpId = reader.u16();
        break;
      case CTA_PROTO.ICMP_TYPE:
      case CTA_PROTO.ICMPV6_TYPE:
        tuple.icmpType = reader.u8();
        break;
      case CTA_PROTO.ICMP_CODE:
      case CTA_PROTO.ICMPV6_CODE:
        tuple.icmpCode = reader.u8();
        break;
    }
  }
}

/** Writes `tuple` as the nested attribute `type`; the writer is inside a message. */
export function writeTuple(writer: NetlinkWriter, type: number, tuple: Tuple): void {
  const isIpv4 = tuple.family === 4;
  const length = addressBytes(tuple.family);
  writer.nest(type, () => {
    writer.nest(CTA_TUPLE.IP, () => {
      writer.data(isIpv4 ? CTA_IP.V4_SRC : CTA_IP.V6_SRC, tuple.src, length);
      writer.data(isIpv4 ? CTA_IP.V4_DST : CTA_IP.V6_DST, tuple.dst, length);
    });
    writer.nest(CTA_TUPLE.PROTO, () => writeProtocol(writer, tuple));
    if (tuple.zone !== 0) writer.u16(CTA_TUPLE.ZONE, tuple.zone);
  });
}

function writeProtocol(writer: NetlinkWriter, tuple: Tuple): void {
  writer.u8(CTA_PROTO.NUM, tuple.protocol);
  if (isIcmp(tuple)) {
    const isIpv4 = tuple.protocol === PROTOCOL.ICMP;
    writer.u16(isIpv4 ? CTA_PROTO.ICMP_ID : CTA_PROTO.ICMPV6_ID, tuple.icmpId);
    writer.u8(isIpv4 ? CTA_PROTO.ICMP_TYPE : CTA_PROTO.ICMPV6_TYPE, tuple.icmpType);
    writer.u8(isIpv4 ? CTA_PROTO.ICMP_CODE : CTA_PROTO.ICMPV6_CODE, tuple.icmpCode);
    return;
  }
  writer.u16(CTA_PROTO.SRC_PORT, tuple.srcPort);
  writer.u16(CTA_PROTO.DST_PORT, tuple.dstPort);
}

export function isIcmp(tuple: Tuple): boolean {
  return tuple.protocol === PROTOCOL.ICMP || tuple.protocol === PROTOCOL.ICMPV6;
}

/**
 * Types that answer each other: of a query the kernel tracks, and of those the Community ID
 * specification pairs beside them (IANA registries "ICMP Type Numbers" and "ICMPv6").
 */
const ICMP_ANSWERS = pairs([8, 0], [13, 14], [15, 16], [17, 18], [10, 9]);
const ICMPV6_ANSWERS = pairs(
  [128, 129],
  [133, 134],
  [135, 136],
  [130, 131],
  [139, 140],
  [144, 145],
);

function pairs(...list: (readonly [number, number])[]): ReadonlyMap<number, number> {
  return new Map(list.flatMap(([a, b]) => [[a, b] as const, [b, a] as const]));
}

/** The ICMP type that answers `type`, undefined where none does. */
export function answerType(protocol: number, type: number): number | undefined {
  return (protocol === PROTOCOL.ICMP ? ICMP_ANSWERS : ICMPV6_ANSWERS).get(type);
}

/** The tuple of the answer where nothing is translated. */
export function inverseOf(tuple: Tuple): Tuple {
  return copyTuple(inverseView(tuple));
}

/** The same, on the address bytes of `tuple` itself: new typed arrays are what is dear here. */
export function inverseView(tuple: Tuple): Tuple {
  const { protocol, icmpType } = tuple;
  return {
    ...tuple,
    src: tuple.dst,
    dst: tuple.src,
    srcPort: tuple.dstPort,
    dstPort: tuple.srcPort,
    icmpType: isIcmp(tuple) ? (answerType(protocol, icmpType) ?? icmpType) : 0,
  };
}

/** Whether the source of the original direction is translated: address, port or ICMP id. */
export function isSourceTranslated(original: Tuple, reply: Tuple): boolean {
  return (
    !sameBytes(reply.dst, original.src) ||
    reply.dstPort !== original.srcPort ||
    reply.icmpId !== original.icmpId
  );
}

/** Whether the destination of the original direction is translated. */
export function isDestinationTranslated(original: Tuple, reply: Tuple): boolean {
  return !sameBytes(reply.src, original.dst) || reply.srcPort !== original.dstPort;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** An address as text: dotted, or RFC 5952. */
export function addressText(bytes: Uint8Array, family: number): string {
  if (family === 4) return bytes.subarray(0, IPV4_BYTES).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => {
    return (((bytes[2 * i] as number) << 8) | (bytes[2 * i + 1] as number)).toString(16);
  });
  const zeros = longestZeros(groups);
  if (zeros.length < 2) return groups.join(":");
  const head = groups.slice(0, zeros.at).join(":");
  return `${head}::${groups.slice(zeros.at + zeros.length).join(":")}`;
}

/** First of the longest runs of zero groups (RFC 5952 section 4.2.3). */
function longestZeros(groups: readonly string[]): { at: number; length: number } {
  let best = { at: 0, length: 0 };
  for (let at = 0; at < groups.length; at++) {
    let length = 0;
    while (groups[at + length] === "0") length++;
    if (length > best.length) best = { at, length };
  }
  return best;
}
