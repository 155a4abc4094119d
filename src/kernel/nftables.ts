/**
 * nf_tables requests as bytes (linux/netfilter/nf_tables.h), for what the `nft` program cannot say
 * or says too slowly: the lease, renewed with each heartbeat, and rules with x_tables targets or a
 * checksum fix.
 */
import { type NetlinkWriter, NLM_F } from "./netlink.js";

const SUBSYSTEM = 10; // NFNL_SUBSYS_NFTABLES
const BATCH_BEGIN = 0x10;
const BATCH_END = 0x11;
const NEWRULE = (SUBSYSTEM << 8) | 6;
const NEWSETELEM = (SUBSYSTEM << 8) | 12;
const DELSETELEM = (SUBSYSTEM << 8) | 14;
export const NEWOBJ: number = (SUBSYSTEM << 8) | 18;
const GETOBJ = (SUBSYSTEM << 8) | 19;
const ANY_FAMILY = 0;
const OBJECT_COUNTER = 1; // NFT_OBJECT_COUNTER

/** Address families as nf_tables numbers them. */
export const FAMILY = { IPV4: 2, IPV6: 10 } as const;
export type Family = (typeof FAMILY)[keyof typeof FAMILY];

/** An inclusive range of mark values. */
export type MarkRange = readonly [first: number, last: number];

function familyHeader(family: number): Uint8Array {
  return Uint8Array.of(family, 0, 0, 0);
}

const batchHeader = Uint8Array.of(0, 0, SUBSYSTEM >> 8, SUBSYSTEM & 0xff);

/** Wraps `fill` in a batch: the kernel applies all of it or nothing. */
export function batch(writer: NetlinkWriter, fill: () => void): void {
  writer.clear();
  writer.begin(BATCH_BEGIN, 0, batchHeader);
  fill();
  writer.begin(BATCH_END, 0, batchHeader);
}

/**
 * Replaces the elements of an interval set of marks by `ranges`, each with the time-out. Without
 * ranges the set is left empty. Interval sets hold keys in network byte order, the end of a range
 * exclusive.
 */
export function replaceMarks(
  writer: NetlinkWriter,
  family: Family,
  table: string,
  set: string,
  ranges: readonly MarkRange[],
  timeoutMs: number,
): void {
  const last = ranges.length === 0 ? NLM_F.ACK : 0;
  writer.begin(DELSETELEM, last, familyHeader(family));
  writer.string(1, table);
  writer.string(2, set);
  if (ranges.length === 0) return;
  writer.begin(NEWSETELEM, NLM_F.CREATE | NLM_F.ACK, familyHeader(family));
  writer.string(1, table);
  writer.string(2, set);
  writer.nest(3, () => {
    for (const [first, end] of ranges) {
      element(writer, first, 0, timeoutMs);
      element(writer, end + 1, 1, 0);
    }
  });
}

function element(writer: NetlinkWriter, key: number, flags: number, timeoutMs: number): void {
  writer.nest(1, () => {
    writer.nest(1, () => writer.u32(1, key));
    if (flags !== 0) writer.u32(3, flags);
    if (timeoutMs !== 0) writer.u64(4, timeoutMs);
  });
}

/** Asks for the named counters of a table, in all families that have it. */
export function writeDumpCounters(writer: NetlinkWriter, table: string): void {
  writer.begin(GETOBJ, NLM_F.DUMP, familyHeader(ANY_FAMILY));
  writer.string(1, table);
  writer.u32(3, OBJECT_COUNTER);
}

/**
 * Appends a rule to a chain; `expressions` writes what {@link target} and {@link setPayload} give.
 */
export function appendRule(
  writer: NetlinkWriter,
  family: Family,
  table: string,
  chain: string,
  expressions: () => void,
): void {
  const flags = NLM_F.CREATE | NLM_F.APPEND | NLM_F.ACK;
  writer.begin(NEWRULE, flags, familyHeader(family));
  writer.string(1, table);
  writer.string(2, chain);
  writer.nest(4, expressions);
}

function expression(writer: NetlinkWriter, name: string, fill: () => void): void {
  writer.nest(1, () => {
    writer.string(1, name);
    writer.nest(2, fill);
  });
}

function target(writer: NetlinkWriter, name: string, revision: number, info: Uint8Array): void {
  expression(writer, "target", () => {
    writer.string(1, name);
    writer.u32(2, revision);
    writer.data(3, info);
  });
}

/**
 * To user space: queues `first` to `first + count - 1`, chosen by the kernel's flow hash. The flags
 * word stays 0: no bypass, so without a listener the packet is dropped (struct xt_NFQ_info_v3).
 */
export function queueTarget(writer: NetlinkWriter, first: number, count: number): void {
  const info = Buffer.alloc(8);
  info.writeUInt16LE(first, 0);
  info.writeUInt16LE(count, 2);
  target(writer, "NFQUEUE", 3, info.subarray(0, 6));
}

export const CONNMARK_SAVE = 1;
export const CONNMARK_RESTORE = 2;

/**
 * Copies the bits of `mask` between packet mark and connection mark and leaves the others alone,
 * which `ct mark set` cannot do with two variables (struct xt_connmark_tginfo1).
 */
export function connmarkTarget(writer: NetlinkWriter, mode: number, mask: number): void {
  const info = Buffer.alloc(16);
  for (const at of [0, 4, 8]) info.writeUInt32LE(mask >>> 0, at);
  info.writeUInt8(mode, 12);
  target(writer, "CONNMARK", 1, info);
}

/**
 * Writes `value` at `offset` of the transport header and corrects the Internet checksum at
 * `checksumOffset` (RFC 1624), which the `nft` program does not do for the options of neighbour
 * discovery.
 */
export function setPayload(
  writer: NetlinkWriter,
  value: Uint8Array,
  offset: number,
  checksumOffset: number,
): void {
  const REGISTER = 1;
  expression(writer, "immediate", () => {
    writer.u32(1, REGISTER);
    writer.nest(2, () => writer.data(1, value));
  });
  expression(writer, "payload", () => {
    writer.u32(2, 2); // NFT_PAYLOAD_TRANSPORT_HEADER
    writer.u32(3, offset);
    writer.u32(4, value.length);
    writer.u32(5, REGISTER);
    writer.u32(6, 1); // NFT_PAYLOAD_CSUM_INET
    writer.u32(7, checksumOffset);
  });
}

/** The first register of 4 bytes (NFT_REG32_00); the others follow it. */
const REGISTER = 8;
const CT_MARK = 3; // NFT_CT_MARK
const SNAT = 0; // NFT_NAT_SNAT
/** NF_NAT_RANGE_PROTO_OFFSET: the search for a free port begins at the port that there was. */
const PROTO_OFFSET = 0x20;

/**
 * Translates the source of a new flow to what `map` has for its connection mark under `mask`. The
 * map is one of nft's `interval ADDRESS . inet_service`: lowest address and port, highest address
 * and port.
 */
export function snatFromMap(
  writer: NetlinkWriter,
  family: Family,
  map: string,
  mask: number,
): void {
  const port = family === FAMILY.IPV4 ? 1 : 4; // words of an address
  const highest = port + 1;
  expression(writer, "ct", () => {
    writer.u32(1, REGISTER);
    writer.u32(2, CT_MARK);
  });
  expression(writer, "bitwise", () => {
    writer.u32(1, REGISTER);
    writer.u32(2, REGISTER);
    writer.u32(3, 4);
    writer.nest(4, () => writer.data(1, hostOrder(mask)));
    writer.nest(5, () => writer.data(1, hostOrder(0)));
  });
  expression(writer, "lookup", () => {
    writer.string(1, map);
    writer.u32(2, REGISTER);
    writer.u32(3, REGISTER);
  });
  expression(writer, "nat", () => {
    writer.u32(1, SNAT);
    writer.u32(2, family);
    writer.u32(3, REGISTER);
    writer.u32(4, REGISTER + highest);
    writer.u32(5, REGISTER + port);
    writer.u32(6, REGISTER + highest + port);
    writer.u32(7, PROTO_OFFSET);
  });
}

/** Marks in registers are words of the machine, little-endian here. */
function hostOrder(word: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(word >>> 0);
  return bytes;
}
