/**
 * Requests to the connection tracking table.
 *
 * What ctnetlink accepts (net/netfilter/nf_conntrack_netlink.c, seen on Linux 6.18):
 *   - CONFIRMED must be set in a status; SEEN_REPLY and ASSURED can be set, never cleared (EBUSY).
 *     The NAT bits are ignored: the kernel sets them by itself when it sets the translation up.
 *   - A translation is set up only at the creation, by CTA_NAT_SRC and CTA_NAT_DST, and only as far
 *     as it changes the reply tuple. So a replica is created with the plain inverse as reply tuple:
 *     with the translated one the kernel sees nothing to do, and never translates a packet.
 *   - A new flow's TCP windows are unknown to the kernel. It takes them over from the next packet
 *     of each direction, and BE_LIBERAL keeps what is in flight then from being INVALID.
 */
import { type NetlinkWriter, NLM_F } from "../netlink.js";
import {
  CT,
  CTA,
  CTA_HELP,
  CTA_NAT,
  CTA_PROTOINFO,
  CTA_PROTONAT,
  CTA_SCTP,
  CTA_SEQADJ,
  CTA_TCP,
  IPS,
  PROTOCOL,
  TCP_FLAG,
} from "./constants.js";
import { type FlowRecord, PRESENT, type SequenceShift, type Tuple } from "./record.js";
import {
  addressBytes,
  inverseView,
  isDestinationTranslated,
  isIcmp,
  isSourceTranslated,
  writeTuple,
} from "./tuple.js";

const AF_UNSPEC = 0;
const AF_INET = 2;
const AF_INET6 = 10;

/** Room that any request of this file fits into, bytes. */
export const REQUEST_BYTES_MAX = 1024;

const SETTABLE_STATUS = IPS.SEEN_REPLY | IPS.ASSURED | IPS.FIXED_TIMEOUT;
/** The rest of the flags stands for window data that a replica does not have. */
const COPIED_TCP_FLAGS = TCP_FLAG.WINDOW_SCALE | TCP_FLAG.SACK_PERM | TCP_FLAG.CLOSE_INIT;

/** The fixed part of each message: address family, version 0, resource 0. */
export function familyHeader(family: number): Uint8Array {
  return Uint8Array.of(family === 4 ? AF_INET : family === 6 ? AF_INET6 : AF_UNSPEC, 0, 0, 0);
}

/**
 * Creates a flow; refused with EEXIST where either tuple is taken.
 * @param flow needs both tuples and a time-out; a master must be in the table already
 * @param flags NLM_F.ACK for an answer also on success
 */
export function writeCreate(writer: NetlinkWriter, flow: FlowRecord, flags = 0): void {
  const { original, reply, master } = flow;
  writer.begin(CT.NEW, NLM_F.CREATE | NLM_F.EXCL | flags, familyHeader(original.family));
  writeTuple(writer, CTA.TUPLE_ORIG, original);
  writeTuple(writer, CTA.TUPLE_REPLY, inverseView(original));
  writeZone(writer, flow);
  writer.u32(CTA.TIMEOUT, flow.timeoutS);
  writer.u32(CTA.STATUS, (flow.status & SETTABLE_STATUS) | IPS.CONFIRMED);
  if (isSourceTranslated(original, reply)) {
    writeNat(writer, CTA.NAT_SRC, reply.dst, reply, reply.dstPort);
  }
  if (isDestinationTranslated(original, reply)) {
    writeNat(writer, CTA.NAT_DST, reply.src, reply, reply.srcPort);
  }
  if (flow.helper !== "") writeHelper(writer, flow.helper);
  if (master.family !== 0) writeTuple(writer, CTA.TUPLE_MASTER, master);
  if ((flow.present & PRESENT.PROTOINFO) !== 0)
    writeProtocolInfo(writer, flow, TCP_FLAG.BE_LIBERAL);
  if (flow.mark !== 0) writer.u32(CTA.MARK, flow.mark);
  writeShifts(writer, flow);
}

/**
 * Changes a flow that is there, else ENOENT. Only parts that are present in `flow` are changed;
 * tuples, translation and master never are. The status bit EXPECTED must be as it is in the table.
 */
export function writeUpdate(writer: NetlinkWriter, flow: FlowRecord, flags = 0): void {
  writer.begin(CT.NEW, flags, familyHeader(flow.original.family));
  writeTuple(writer, CTA.TUPLE_ORIG, flow.original);
  writeZone(writer, flow);
  const { present, status } = flow;
  if ((present & PRESENT.TIMEOUT) !== 0) writer.u32(CTA.TIMEOUT, flow.timeoutS);
  if ((present & PRESENT.STATUS) !== 0) {
    writer.u32(CTA.STATUS, (status & (SETTABLE_STATUS | IPS.EXPECTED)) | IPS.CONFIRMED);
  }
  if ((present & PRESENT.PROTOINFO) !== 0) {
    writeProtocolInfo(writer, flow, TCP_FLAG.BE_LIBERAL);
  }
  if ((present & PRESENT.MARK) !== 0) writer.u32(CTA.MARK, flow.mark);
  writeShifts(writer, flow);
}

/** Deletes the flow with this original tuple, and with `id` only while it is still that flow. */
export function writeDelete(writer: NetlinkWriter, flow: FlowRecord, flags = 0): void {
  writer.begin(CT.DELETE, flags, familyHeader(flow.original.family));
  writeTuple(writer, CTA.TUPLE_ORIG, flow.original);
  writeZone(writer, flow);
  if (flow.id !== 0) writer.u32(CTA.ID, flow.id);
}

/**
 * Makes the helper of a flow look at the next packet of each direction, wherever that is in the
 * stream. Without, the helper of FTP passes over the first command that follows packets which it
 * has not seen (nf_ct_ftp_from_nlattr in nf_conntrack_ftp.c). EOPNOTSUPP, EBUSY: the flow was let
 * in without this helper, which cannot be changed.
 */
export function writeArm(writer: NetlinkWriter, flow: FlowRecord, flags = 0): void {
  writer.begin(CT.NEW, flags, familyHeader(flow.original.family));
  writeTuple(writer, CTA.TUPLE_ORIG, flow.original);
  writeZone(writer, flow);
  writeHelper(writer, flow.helper);
}

/** Asks for the flow of a tuple of either direction; ENOENT where there is none. */
export function writeGet(writer: NetlinkWriter, tuple: Tuple, flags = 0): void {
  writer.begin(CT.GET, flags, familyHeader(tuple.family));
  writeTuple(writer, CTA.TUPLE_ORIG, tuple);
}

/** Flows of either family whose mark is `value` under `mask`. */
export interface MarkFilter {
  readonly value: number;
  readonly mask: number;
}

/** Asks for all flows, or for those that the kernel finds by `filter`. */
export function writeDump(writer: NetlinkWriter, filter: MarkFilter | null): void {
  writer.begin(CT.GET, NLM_F.DUMP, familyHeader(0));
  if (filter !== null) writeMarkFilter(writer, filter);
}

/** Deletes the flows that `filter` finds. @throws RangeError for a mask of 0: that finds all */
export function writeFlush(writer: NetlinkWriter, filter: MarkFilter, flags = 0): void {
  if (filter.mask === 0) throw new RangeError("a flush without a mask would empty the table");
  writer.begin(CT.DELETE, flags, familyHeader(0));
  writeMarkFilter(writer, filter);
}

function writeMarkFilter(writer: NetlinkWriter, { value, mask }: MarkFilter): void {
  writer.u32(CTA.MARK, value);
  writer.u32(CTA.MARK_MASK, mask);
}

function writeZone(writer: NetlinkWriter, flow: FlowRecord): void {
  if (flow.zone !== 0) writer.u16(CTA.ZONE, flow.zone);
}

function writeHelper(writer: NetlinkWriter, name: string): void {
  writer.nest(CTA.HELP, () => writer.string(CTA_HELP.NAME, name));
}

/** One address and, for protocols that have it, one port or ICMP id. */
function writeNat(
  writer: NetlinkWriter,
  type: number,
  address: Uint8Array,
  tuple: Tuple,
  port: number,
): void {
  const isIpv4 = tuple.family === 4;
  const length = addressBytes(tuple.family);
  const key = isIcmp(tuple) ? tuple.icmpId : port;
  writer.nest(type, () => {
    writer.data(isIpv4 ? CTA_NAT.V4_MINIP : CTA_NAT.V6_MINIP, address, length);
    writer.data(isIpv4 ? CTA_NAT.V4_MAXIP : CTA_NAT.V6_MAXIP, address, length);
    if (key === 0) return;
    writer.nest(CTA_NAT.PROTO, () => {
      writer.u16(CTA_PROTONAT.PORT_MIN, key);
      writer.u16(CTA_PROTONAT.PORT_MAX, key);
    });
  });
}

/** @param addedFlags TCP flags set in both directions; a flag in neither stays as it is */
function writeProtocolInfo(writer: NetlinkWriter, flow: FlowRecord, addedFlags: number): void {
  if (flow.original.protocol === PROTOCOL.TCP) writeTcp(writer, flow, addedFlags);
  else if (flow.original.protocol === PROTOCOL.SCTP) writeSctp(writer, flow);
}

function writeTcp(writer: NetlinkWriter, flow: FlowRecord, addedFlags: number): void {
  const mask = COPIED_TCP_FLAGS | addedFlags;
  const flags = (own: number) => Uint8Array.of((own & COPIED_TCP_FLAGS) | addedFlags, mask);
  writer.nest(CTA.PROTOINFO, () => {
    writer.nest(CTA_PROTOINFO.TCP, () => {
      writer.u8(CTA_TCP.STATE, flow.state);
      writer.data(CTA_TCP.FLAGS_ORIGINAL, flags(flow.flagsOriginal));
      writer.data(CTA_TCP.FLAGS_REPLY, flags(flow.flagsReply));
      writer.u8(CTA_TCP.WSCALE_ORIGINAL, flow.wscaleOriginal);
      writer.u8(CTA_TCP.WSCALE_REPLY, flow.wscaleReply);
    });
  });
}

function writeSctp(writer: NetlinkWriter, flow: FlowRecord): void {
  writer.nest(CTA.PROTOINFO, () => {
    writer.nest(CTA_PROTOINFO.SCTP, () => {
      writer.u8(CTA_SCTP.STATE, flow.state);
      writer.u32(CTA_SCTP.VTAG_ORIGINAL, flow.vtagOriginal);
      writer.u32(CTA_SCTP.VTAG_REPLY, flow.vtagReply);
    });
  });
}

function writeShifts(writer: NetlinkWriter, flow: FlowRecord): void {
  if ((flow.present & PRESENT.SEQUENCE) === 0) return;
  writeShift(writer, CTA.SEQ_ADJ_ORIG, flow.shiftOriginal);
  writeShift(writer, CTA.SEQ_ADJ_REPLY, flow.shiftReply);
}

function writeShift(writer: NetlinkWriter, type: number, shift: SequenceShift): void {
  writer.nest(type, () => {
    writer.u32(CTA_SEQADJ.CORRECTION_POS, shift.correctionPos);
    writer.u32(CTA_SEQADJ.OFFSET_BEFORE, shift.offsetBefore);
    writer.u32(CTA_SEQADJ.OFFSET_AFTER, shift.offsetAfter);
  });
}
