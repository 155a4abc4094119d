/**
 * Numbers of ctnetlink, by their names in linux/netfilter/nfnetlink_conntrack.h (attributes),
 * nf_conntrack_common.h (status), nf_conntrack_tcp.h (TCP) and nfnetlink.h (groups).
 */

/** Message types: subsystem << 8 | operation. */
export const CT = { NEW: 0x100, GET: 0x101, DELETE: 0x102 } as const;
export const EXP = { NEW: 0x200, GET: 0x201, DELETE: 0x202 } as const;

/** Multicast groups of the event stream. */
export const GROUP = { NEW: 1, UPDATE: 2, DESTROY: 3, EXP_NEW: 4, EXP_DESTROY: 6 } as const;

export const CTA = {
  TUPLE_ORIG: 1,
  TUPLE_REPLY: 2,
  STATUS: 3,
  PROTOINFO: 4,
  HELP: 5,
  NAT_SRC: 6,
  TIMEOUT: 7,
  MARK: 8,
  COUNTERS_ORIG: 9,
  COUNTERS_REPLY: 10,
  USE: 11,
  ID: 12,
  NAT_DST: 13,
  TUPLE_MASTER: 14,
  SEQ_ADJ_ORIG: 15,
  SEQ_ADJ_REPLY: 16,
  ZONE: 18,
  MARK_MASK: 21,
} as const;

export const CTA_TUPLE = { IP: 1, PROTO: 2, ZONE: 3 } as const;
export const CTA_IP = { V4_SRC: 1, V4_DST: 2, V6_SRC: 3, V6_DST: 4 } as const;
export const CTA_PROTO = {
  NUM: 1,
  SRC_PORT: 2,
  DST_PORT: 3,
  ICMP_ID: 4,
  ICMP_TYPE: 5,
  ICMP_CODE: 6,
  ICMPV6_ID: 7,
  ICMPV6_TYPE: 8,
  ICMPV6_CODE: 9,
} as const;
export const CTA_PROTOINFO = { TCP: 1, DCCP: 2, SCTP: 3 } as const;
export const CTA_TCP = {
  STATE: 1,
  WSCALE_ORIGINAL: 2,
  WSCALE_REPLY: 3,
  FLAGS_ORIGINAL: 4,
  FLAGS_REPLY: 5,
} as const;
export const CTA_SCTP = { STATE: 1, VTAG_ORIGINAL: 2, VTAG_REPLY: 3 } as const;
export const CTA_NAT = { V4_MINIP: 1, V4_MAXIP: 2, PROTO: 3, V6_MINIP: 4, V6_MAXIP: 5 } as const;
export const CTA_PROTONAT = { PORT_MIN: 1, PORT_MAX: 2 } as const;
export const CTA_SEQADJ = { CORRECTION_POS: 1, OFFSET_BEFORE: 2, OFFSET_AFTER: 3 } as const;
export const CTA_HELP = { NAME: 1 } as const;

export const CTA_EXPECT = {
  MASTER: 1,
  TUPLE: 2,
  MASK: 3,
  TIMEOUT: 4,
  ID: 5,
  HELP_NAME: 6,
  ZONE: 7,
  FLAGS: 8,
  CLASS: 9,
  NAT: 10,
  FN: 11,
} as const;
export const CTA_EXPECT_NAT = { DIR: 1, TUPLE: 2 } as const;

/** Bits of a flow's status. */
export const IPS = {
  EXPECTED: 0x1,
  SEEN_REPLY: 0x2,
  ASSURED: 0x4,
  CONFIRMED: 0x8,
  SRC_NAT: 0x10,
  DST_NAT: 0x20,
  DYING: 0x200,
  FIXED_TIMEOUT: 0x400,
} as const;

/** Flags of one direction of a TCP flow. */
export const TCP_FLAG = {
  WINDOW_SCALE: 0x1,
  SACK_PERM: 0x2,
  CLOSE_INIT: 0x4,
  BE_LIBERAL: 0x8,
} as const;

export const PROTOCOL = {
  ICMP: 1,
  TCP: 6,
  UDP: 17,
  DCCP: 33,
  ICMPV6: 58,
  SCTP: 132,
  UDPLITE: 136,
} as const;

/** States of a TCP flow as conntrack(8) prints them; the index is the kernel's number. */
export const TCP_STATES = [
  "NONE",
  "SYN_SENT",
  "SYN_RECV",
  "ESTABLISHED",
  "FIN_WAIT",
  "CLOSE_WAIT",
  "LAST_ACK",
  "TIME_WAIT",
  "CLOSE",
  "SYN_SENT2",
] as const;

/** The same for SCTP. */
export const SCTP_STATES = [
  "NONE",
  "CLOSED",
  "COOKIE_WAIT",
  "COOKIE_ECHOED",
  "ESTABLISHED",
  "SHUTDOWN_SENT",
  "SHUTDOWN_RECD",
  "SHUTDOWN_ACK_SENT",
  "HEARTBEAT_SENT",
] as const;
