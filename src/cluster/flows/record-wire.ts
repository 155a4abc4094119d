/**
 * A record on the wire. Its start is its identity, and all that a deletion needs.
 *
 *      flags     u8     1 IPv6, 2 zone, 4 expectation
 *      protocol  u8
 *      bucket    u16
 *      original  src, dst (4 or 16 bytes each), src port u16, dst port u16
 *     [zone      u16]
 *      ---- the rest of a flow
 *      parts     u8     1 reply, 2 mark, 4 helper, 8 master, 16 shifts, 32 vtags
 *      state     u8     index in FLOW_STATES
 *      timeout   u8     class
 *      status    u16
 *     [reply     as original; absent: its inverse]
 *     [mark      u32] [helper  length u8, ASCII] [master  protocol u8, as original] [shifts  6 u32]
 *     [vtags     2 u32]
 *      ---- the rest of an expectation
 *      parts     u8     1 translated
 *      timeout   u8, flags u8, class u8
 *      mask      as original; master  protocol u8, as original
 *     [nat       direction u8, as original]
 *      helper, fn       length u8, ASCII each
 *
 * A plain IPv4 flow takes 21 bytes, one with translated ports 33.
 */
import { HELPER_CHARS_MAX } from "../limits.js";
import { ByteReader, ByteWriter } from "./cursor.js";
import {
  type Ends,
  type Expectation,
  FLOW_STATES,
  type Flow,
  inverse,
  isInverse,
  type Master,
  type Replicated,
} from "./record.js";

export const FLAG = { IPV6: 1, ZONE: 2, EXPECTATION: 4 } as const;
export const PART = { REPLY: 1, MARK: 2, HELPER: 4, MASTER: 8, SHIFTS: 16, VTAGS: 32 } as const;
const TRANSLATED = 1;
const SHIFT_WORDS = 6;
export const IPV6_BYTES = 16;

/** What names a record: equal keys, equal flow. */
export interface Identity {
  readonly kind: Replicated["kind"];
  readonly bucket: number;
  readonly protocol: number;
  readonly original: Ends;
  readonly zone: number;
}

const NONE: readonly number[] = [];
const scratch = new ByteWriter();

/** The identity without the bucket, as a string of octets. */
export function keyOf(identity: Identity): string {
  writeIdentity(scratch, identity, 0);
  return scratch.takeText();
}

/** The identity that a key was made of. */
export function identityOf(key: string, bucket: number): Identity {
  return { ...readIdentity(ByteReader.ofText(key)), bucket };
}

/** Key of the flow that a record was expected by, or that expects it; null for all others. */
export function masterKeyOf({ master, bucket, zone }: Replicated): string | null {
  if (master === null) return null;
  return keyOf({ kind: "flow", bucket, protocol: master.protocol, original: master, zone });
}

/** A record's bytes; two records say the same when their bytes are equal. */
export function recordBytes(record: Replicated): Uint8Array {
  writeRecord(scratch, record);
  return scratch.take();
}

export function writeIdentity(out: ByteWriter, identity: Identity, bucket = identity.bucket): void {
  const ipv6 = identity.original.src.length === IPV6_BYTES ? FLAG.IPV6 : 0;
  const zone = identity.zone !== 0 ? FLAG.ZONE : 0;
  const kind = identity.kind === "expectation" ? FLAG.EXPECTATION : 0;
  out
    .u8(ipv6 | zone | kind)
    .u8(identity.protocol)
    .u16(bucket);
  writeEnds(out, identity.original);
  if (zone !== 0) out.u16(identity.zone);
}

export function readIdentity(from: ByteReader): Identity {
  const flags = from.u8();
  from.require(flags < FLAG.EXPECTATION * 2);
  const kind = (flags & FLAG.EXPECTATION) !== 0 ? "expectation" : "flow";
  const protocol = from.u8();
  const bucket = from.u16();
  const original = readEnds(from, (flags & FLAG.IPV6) !== 0 ? IPV6_BYTES : 4);
  const zone = (flags & FLAG.ZONE) !== 0 ? from.u16() : 0;
  return { kind, protocol, bucket, original, zone };
}

export function writeRecord(out: ByteWriter, record: Replicated): void {
  writeIdentity(out, record);
  if (record.kind === "flow") writeFlow(out, record);
  else writeExpectation(out, record);
}

/** Reads a record; whether it was one is known to the reader. */
export function readRecord(from: ByteReader): Replicated {
  const identity = readIdentity(from);
  return identity.kind === "flow" ? readFlow(from, identity) : readExpectation(from, identity);
}

function writeFlow(out: ByteWriter, flow: Flow): void {
  const hasReply = !isInverse(flow.reply, flow.original);
  let parts = hasReply ? PART.REPLY : 0;
  if (flow.mark !== 0) parts |= PART.MARK;
  if (flow.helper !== "") parts |= PART.HELPER;
  if (flow.master) parts |= PART.MASTER;
  if (flow.shifts) parts |= PART.SHIFTS;
  if (flow.vtags) parts |= PART.VTAGS;
  out.u8(parts).u8(FLOW_STATES.indexOf(flow.state)).u8(flow.timeoutClass).u16(flow.status);
  if (hasReply) writeEnds(out, flow.reply);
  if (flow.mark !== 0) out.u32(flow.mark);
  if (flow.helper !== "") out.text(flow.helper);
  if (flow.master) writeMaster(out, flow.master);
  for (const word of flow.shifts ?? NONE) out.u32(word);
  for (const word of flow.vtags ?? NONE) out.u32(word);
}

function readFlow(from: ByteReader, identity: Identity): Flow {
  const parts = from.u8();
  const state = from.u8();
  from.require(parts < PART.VTAGS * 2 && state < FLOW_STATES.length);
  const timeoutClass = from.u8();
  const status = from.u16();
  const { original, protocol, bucket, zone } = identity;
  const bytes = original.src.length;
  return {
    kind: "flow",
    protocol,
    bucket,
    zone,
    timeoutClass,
    status,
    original,
    reply: (parts & PART.REPLY) !== 0 ? readEnds(from, bytes) : inverse(original),
    state: FLOW_STATES[state] ?? "none",
    mark: (parts & PART.MARK) !== 0 ? from.u32() : 0,
    helper: (parts & PART.HELPER) !== 0 ? from.text(HELPER_CHARS_MAX) : "",
    master: (parts & PART.MASTER) !== 0 ? readMaster(from, bytes) : null,
    shifts: (parts & PART.SHIFTS) !== 0 ? readWords(from, SHIFT_WORDS) : null,
    vtags: (parts & PART.VTAGS) !== 0 ? [from.u32(), from.u32()] : null,
  };
}

function readWords(from: ByteReader, count: number): number[] {
  return Array.from({ length: count }, () => from.u32());
}

function writeExpectation(out: ByteWriter, expectation: Expectation): void {
  const { nat } = expectation;
  out.u8(nat ? TRANSLATED : 0).u8(expectation.timeoutClass);
  out.u8(expectation.flags).u8(expectation.class);
  writeEnds(out, expectation.mask);
  writeMaster(out, expectation.master);
  if (nat) writeEnds(out.u8(nat.direction), nat);
  out.text(expectation.helper).text(expectation.fn);
}

function readExpectation(from: ByteReader, identity: Identity): Expectation {
  const parts = from.u8();
  from.require(parts <= TRANSLATED);
  const bytes = identity.original.src.length;
  return {
    ...identity,
    kind: "expectation",
    timeoutClass: from.u8(),
    flags: from.u8(),
    class: from.u8(),
    mask: readEnds(from, bytes),
    master: readMaster(from, bytes),
    nat: parts === TRANSLATED ? { direction: from.u8(), ...readEnds(from, bytes) } : null,
    helper: from.text(HELPER_CHARS_MAX),
    fn: from.text(HELPER_CHARS_MAX * 2),
  };
}

export function writeEnds(out: ByteWriter, { src, dst, srcPort, dstPort }: Ends): void {
  out.raw(src).raw(dst).u16(srcPort).u16(dstPort);
}

function readEnds(from: ByteReader, bytes: number): Ends {
  return { src: from.raw(bytes), dst: from.raw(bytes), srcPort: from.u16(), dstPort: from.u16() };
}

function writeMaster(out: ByteWriter, master: Master): void {
  writeEnds(out.u8(master.protocol), master);
}

function readMaster(from: ByteReader, bytes: number): Master {
  return { protocol: from.u8(), ...readEnds(from, bytes) };
}
