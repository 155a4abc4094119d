/**
 * Decoders of flows and expectations. Unknown attributes are skipped: a newer kernel tells more.
 * The answer of a decoder is the text of what was wrong, empty when the record can be used.
 */
import { AttributeReader } from "./attributes.js";
import {
  CTA,
  CTA_EXPECT,
  CTA_EXPECT_NAT,
  CTA_HELP,
  CTA_PROTOINFO,
  CTA_SCTP,
  CTA_SEQADJ,
  CTA_TCP,
} from "./constants.js";
import {
  clearExpectation,
  clearFlow,
  type ExpectationRecord,
  type FlowRecord,
  PRESENT,
  type SequenceShift,
} from "./record.js";
import { readTuple } from "./tuple.js";

const reader = new AttributeReader();

/** Fills `flow` from the attributes in `bytes` from `at` up to `end`. */
export function decodeFlow(bytes: Buffer, at: number, end: number, flow: FlowRecord): string {
  clearFlow(flow);
  reader.reset(bytes, at, end);
  while (reader.next()) readFlowAttribute(reader, flow);
  if (reader.error !== "") return reader.error;
  return flow.original.family === 0 ? "no original tuple" : "";
}

function readFlowAttribute(reader: AttributeReader, flow: FlowRecord): void {
  switch (reader.type) {
    case CTA.TUPLE_ORIG:
      reader.nest(readTuple, flow.original);
      break;
    case CTA.TUPLE_REPLY:
      reader.nest(readTuple, flow.reply);
      break;
    case CTA.TUPLE_MASTER:
      reader.nest(readTuple, flow.master);
      break;
    case CTA.STATUS:
      flow.status = reader.u32();
      flow.present |= PRESENT.STATUS;
      break;
    case CTA.TIMEOUT:
      flow.timeoutS = reader.u32();
      flow.present |= PRESENT.TIMEOUT;
      break;
    case CTA.MARK:
      flow.mark = reader.u32();
      flow.present |= PRESENT.MARK;
      break;
    case CTA.PROTOINFO:
      reader.nest(readProtocolInfo, flow);
      break;
    case CTA.HELP:
      reader.nest(readHelper, flow);
      flow.present |= PRESENT.HELPER;
      break;
    case CTA.SEQ_ADJ_ORIG:
      reader.nest(readShift, flow.shiftOriginal);
      flow.present |= PRESENT.SEQUENCE;
      break;
    case CTA.SEQ_ADJ_REPLY:
      reader.nest(readShift, flow.shiftReply);
      flow.present |= PRESENT.SEQUENCE;
      break;
    case CTA.ZONE:
      flow.zone = reader.u16();
      break;
    case CTA.ID:
      flow.id = reader.u32();
      break;
    case CTA.USE:
      flow.use = reader.u32();
      break;
  }
}

function readProtocolInfo(reader: AttributeReader, flow: FlowRecord): void {
  while (reader.next()) {
    if (reader.type < CTA_PROTOINFO.TCP || reader.type > CTA_PROTOINFO.SCTP) continue;
    flow.present |= PRESENT.PROTOINFO;
    if (reader.type === CTA_PROTOINFO.TCP) reader.nest(readTcp, flow);
    else if (reader.type === CTA_PROTOINFO.SCTP) reader.nest(readSctp, flow);
    else reader.nest(readState, flow);
  }
}

/** Flags are two bytes, the flags and a mask; what the kernel tells has no mask. */
function readTcp(reader: AttributeReader, flow: FlowRecord): void {
  while (reader.next()) {
    if (reader.type === CTA_TCP.STATE) flow.state = reader.u8();
    else if (reader.type === CTA_TCP.WSCALE_ORIGINAL) flow.wscaleOriginal = reader.u8();
    else if (reader.type === CTA_TCP.WSCALE_REPLY) flow.wscaleReply = reader.u8();
    else if (reader.type === CTA_TCP.FLAGS_ORIGINAL) flow.flagsOriginal = reader.u16() >> 8;
    else if (reader.type === CTA_TCP.FLAGS_REPLY) flow.flagsReply = reader.u16() >> 8;
  }
}

function readSctp(reader: AttributeReader, flow: FlowRecord): void {
  while (reader.next()) {
    if (reader.type === CTA_SCTP.STATE) flow.state = reader.u8();
    else if (reader.type === CTA_SCTP.VTAG_ORIGINAL) flow.vtagOriginal = reader.u32();
    else if (reader.type === CTA_SCTP.VTAG_REPLY) flow.vtagReply = reader.u32();
  }
}

/** The first attribute of each protocol's information is its state. */
function readState(reader: AttributeReader, flow: FlowRecord): void {
  while (reader.next()) {
    if (reader.type === CTA_TCP.STATE) flow.state = reader.u8();
  }
}

function readHelper(reader: AttributeReader, flow: FlowRecord): void {
  while (reader.next()) {
    if (reader.type === CTA_HELP.NAME) flow.helper = reader.string();
  }
}

function readShift(reader: AttributeReader, shift: SequenceShift): void {
  while (reader.next()) {
    if (reader.type === CTA_SEQADJ.CORRECTION_POS) shift.correctionPos = reader.u32();
    else if (reader.type === CTA_SEQADJ.OFFSET_BEFORE) shift.offsetBefore = reader.u32() | 0;
    else if (reader.type === CTA_SEQADJ.OFFSET_AFTER) shift.offsetAfter = reader.u32() | 0;
  }
}

/** Fills `record` from the attributes in `bytes` from `at` up to `end`. */
export function decodeExpectation(
  bytes: Buffer,
  at: number,
  end: number,
  record: ExpectationRecord,
): string {
  clearExpectation(record);
  reader.reset(bytes, at, end);
  while (reader.next()) readExpectationAttribute(reader, record);
  if (reader.error !== "") return reader.error;
  return record.tuple.family === 0 ? "no tuple" : "";
}

function readExpectationAttribute(reader: AttributeReader, record: ExpectationRecord): void {
  switch (reader.type) {
    case CTA_EXPECT.MASTER:
      reader.nest(readTuple, record.master);
      break;
    case CTA_EXPECT.TUPLE:
      reader.nest(readTuple, record.tuple);
      break;
    case CTA_EXPECT.MASK:
      reader.nest(readTuple, record.mask);
      break;
    case CTA_EXPECT.TIMEOUT:
      record.timeoutS = reader.u32();
      break;
    case CTA_EXPECT.ID:
      record.id = reader.u32();
      break;
    case CTA_EXPECT.HELP_NAME:
      record.helper = reader.string();
      break;
    case CTA_EXPECT.ZONE:
      record.zone = reader.u16();
      break;
    case CTA_EXPECT.FLAGS:
      record.flags = reader.u32();
      break;
    case CTA_EXPECT.CLASS:
      record.class = reader.u32();
      break;
    case CTA_EXPECT.NAT:
      reader.nest(readExpectationNat, record);
      break;
    case CTA_EXPECT.FN:
      record.fn = reader.string();
      break;
  }
}

function readExpectationNat(reader: AttributeReader, record: ExpectationRecord): void {
  while (reader.next()) {
    if (reader.type === CTA_EXPECT_NAT.DIR) record.natDirection = reader.u32();
    else if (reader.type === CTA_EXPECT_NAT.TUPLE) reader.nest(readTuple, record.natTuple);
  }
}
