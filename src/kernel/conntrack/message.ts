/** Netlink messages of ctnetlink in a received datagram, told to a visitor one by one. */
import { NLM_F, NLMSG } from "../netlink.js";
import { CT, EXP } from "./constants.js";
import { decodeExpectation, decodeFlow } from "./decode.js";
import { type ExpectationRecord, type FlowRecord, newExpectation, newFlow } from "./record.js";

const HEADER_BYTES = 16;
/** nfgenmsg behind the header: family, version, resource. */
const FAMILY_BYTES = 4;
const ERRNO_BYTES = 4;

export type Change = "new" | "update" | "destroy";

/** The records belong to the decoder and hold only until the method returns. */
export interface Visitor {
  flow(change: Change, flow: FlowRecord): void;
  expectation(change: Change, record: ExpectationRecord): void;
  /** The kernel's answer to the request with this sequence number; errno 0 is success. */
  answer(sequence: number, errno: number): void;
  /** The end of a dump. */
  done(): void;
  /** The table changed while it was dumped. */
  interrupted(): void;
  /** A message that cannot be read. */
  malformed(error: string): void;
}

const flow = newFlow();
const expectation = newExpectation();

/** Tells `visitor` all messages in the first `length` bytes. Never throws by itself. */
export function readDatagram(bytes: Buffer, at: number, length: number, visitor: Visitor): void {
  const limit = at + length;
  while (at < limit) {
    const size = at + HEADER_BYTES <= limit ? bytes.readUInt32LE(at) : 0;
    if (size < HEADER_BYTES || size > limit - at) {
      visitor.malformed(`message of ${size} bytes where ${limit - at} are left`);
      return;
    }
    readMessage(bytes, at, at + size, visitor);
    at += (size + 3) & ~3;
  }
}

function readMessage(bytes: Buffer, at: number, end: number, visitor: Visitor): void {
  const type = bytes.readUInt16LE(at + 4);
  const flags = bytes.readUInt16LE(at + 6);
  if ((flags & NLM_F.DUMP_INTR) !== 0) visitor.interrupted();
  if (type === NLMSG.DONE) return visitor.done();
  if (type === NLMSG.ERROR) return readAnswer(bytes, at, end, visitor);
  const value = at + HEADER_BYTES + FAMILY_BYTES;
  if (value > end) return visitor.malformed(`message ${type} without a family`);
  readChange(bytes, value, end, visitor, type, flags);
}

function readAnswer(bytes: Buffer, at: number, end: number, visitor: Visitor): void {
  if (at + HEADER_BYTES + ERRNO_BYTES > end) return visitor.malformed("answer without an errno");
  const errno = Math.abs(bytes.readInt32LE(at + HEADER_BYTES));
  visitor.answer(bytes.readUInt32LE(at + 8), errno);
}

function readChange(
  bytes: Buffer,
  value: number,
  end: number,
  visitor: Visitor,
  type: number,
  flags: number,
): void {
  const isNew = (flags & (NLM_F.CREATE | NLM_F.EXCL)) !== 0;
  const change = type === CT.DELETE || type === EXP.DELETE ? "destroy" : isNew ? "new" : "update";
  if (type === CT.NEW || type === CT.DELETE) {
    const error = decodeFlow(bytes, value, end, flow);
    if (error === "") visitor.flow(change, flow);
    else visitor.malformed(error);
  } else if (type === EXP.NEW || type === EXP.DELETE) {
    const error = decodeExpectation(bytes, value, end, expectation);
    if (error === "") visitor.expectation(change, expectation);
    else visitor.malformed(error);
  }
}
