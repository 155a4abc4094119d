/**
 * A DATA payload is a row of ops, each self-contained: all of a flow, never a difference, so an op
 * means the same whatever came before. Numbers are big-endian.
 *
 *      1 PUT      version, record            this flow is, and is so (new or changed)
 *      2 REMOVE   version, identity          this flow is no more
 *      3 DIGEST   bucket u16, term u32, flows u32, sum u32[2]      all of a bucket in one number
 *      4 SECTION  bucket u16, term u32       from here on: all flows of the bucket, as PUTs
 *      5 END      bucket u16, whole u8       what was not named is not; 0: broken off, forget it
 *      6 TABLE    start u32, flows u32       sections of all own buckets follow
 *      7 DONE     start u32                  that was the table whose START named this frame
 *      8 CLAIM    bucket u16, term u32, node u8      another has claimed the bucket under this term
 *
 *      version    term u32, writer u8, sequence u48
 */
import { ByteReader, ByteWriter } from "./cursor.js";
import type { Replicated } from "./record.js";
import {
  type Identity,
  readIdentity,
  readRecord,
  writeIdentity,
  writeRecord,
} from "./record-wire.js";
import type { Version } from "./version.js";

const CODE = {
  put: 1,
  remove: 2,
  digest: 3,
  section: 4,
  end: 5,
  table: 6,
  done: 7,
  claim: 8,
} as const;

/** Number of records and order-independent sum of their hashes. */
export interface Digest {
  readonly flows: number;
  readonly sums: readonly [number, number];
}

export type Op =
  | { readonly op: "put"; readonly version: Version; readonly record: Replicated }
  | { readonly op: "remove"; readonly version: Version; readonly identity: Identity }
  | {
      readonly op: "digest";
      readonly bucket: number;
      readonly term: number;
      readonly digest: Digest;
    }
  | { readonly op: "section"; readonly bucket: number; readonly term: number }
  | { readonly op: "end"; readonly bucket: number; readonly isWhole: boolean }
  | { readonly op: "table"; readonly start: number; readonly flows: number }
  | { readonly op: "done"; readonly start: number }
  | { readonly op: "claim"; readonly bucket: number; readonly term: number; readonly node: number };

/** A PUT of a record that is packed already; it reads as any other. */
export interface PackedPut {
  readonly op: "packed";
  readonly version: Version;
  readonly packed: string;
}

const out = new ByteWriter();

export function encodeOp(op: Op | PackedPut): Uint8Array {
  out.u8(op.op === "packed" ? CODE.put : CODE[op.op]);
  switch (op.op) {
    case "packed":
      writeVersion(op.version);
      out.octets(op.packed);
      break;
    case "put":
      writeVersion(op.version);
      writeRecord(out, op.record);
      break;
    case "remove":
      writeVersion(op.version);
      writeIdentity(out, op.identity);
      break;
    case "digest":
      out.u16(op.bucket).u32(op.term).u32(op.digest.flows);
      out.u32(op.digest.sums[0]).u32(op.digest.sums[1]);
      break;
    case "section":
      out.u16(op.bucket).u32(op.term);
      break;
    case "end":
      out.u16(op.bucket).u8(op.isWhole ? 1 : 0);
      break;
    case "table":
      out.u32(op.start).u32(op.flows);
      break;
    case "done":
      out.u32(op.start);
      break;
    case "claim":
      out.u16(op.bucket).u32(op.term).u8(op.node);
  }
  return out.take();
}

/** All ops of a payload, or null when any of them is broken or names a bucket that there is not. */
export function readOps(payload: Uint8Array, buckets: number): Op[] | null {
  const from = new ByteReader(payload);
  const ops: Op[] = [];
  while (!from.isAtEnd && !from.isBroken) {
    const op = readOp(from);
    if (!op || bucketOf(op) >= buckets) return null;
    ops.push(op);
  }
  return from.isBroken ? null : ops;
}

function readOp(from: ByteReader): Op | null {
  switch (from.u8()) {
    case CODE.put:
      return { op: "put", version: readVersion(from), record: readRecord(from) };
    case CODE.remove:
      return { op: "remove", version: readVersion(from), identity: readIdentity(from) };
    case CODE.digest:
      return { op: "digest", bucket: from.u16(), term: from.u32(), digest: readDigest(from) };
    case CODE.section:
      return { op: "section", bucket: from.u16(), term: from.u32() };
    case CODE.end:
      return { op: "end", bucket: from.u16(), isWhole: from.u8() === 1 };
    case CODE.table:
      return { op: "table", start: from.u32(), flows: from.u32() };
    case CODE.done:
      return { op: "done", start: from.u32() };
    case CODE.claim:
      return { op: "claim", bucket: from.u16(), term: from.u32(), node: from.u8() };
    default:
      return null;
  }
}

function bucketOf(op: Op): number {
  if (op.op === "put") return op.record.bucket;
  if (op.op === "remove") return op.identity.bucket;
  return op.op === "table" || op.op === "done" ? 0 : op.bucket;
}

function readDigest(from: ByteReader): Digest {
  return { flows: from.u32(), sums: [from.u32(), from.u32()] };
}

function writeVersion({ term, writer, sequence }: Version): void {
  out.u32(term).u8(writer).u48(sequence);
}

function readVersion(from: ByteReader): Version {
  return { term: from.u32(), writer: from.u8(), sequence: from.u48() };
}
