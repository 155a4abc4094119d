/**
 * From a frame to what is hashed, as instructions. Whatever these steps do not know goes to `pass`:
 * fragments, extension headers, options that were cut, ICMP errors, protocols without ports.
 *
 *     R6  the context, until the hash
 *     R8  offset of the transport header
 *     R9  protocol
 *     R4, R5  source and destination port, or the id of an ICMP query twice
 */
import {
  ALU,
  type Assembler,
  FP,
  JUMP,
  Label,
  R0,
  R1,
  R2,
  R3,
  R4,
  R5,
  R6,
  R8,
  R9,
  SIZE,
} from "./assembler.js";

/** Offsets in struct __sk_buff. */
const SKB_PROTOCOL = 16;
const SKB_VLAN_PRESENT = 20;
const SKB_LOAD_BYTES = 26; // enum bpf_func_id

/** Where the headers lie in the frame: the IP header on a word of 8 bytes. */
const IP = -64;
const ETHERNET_BYTES = 14;
const ETHERNET = IP - ETHERNET_BYTES;
const TRANSPORT = -24;
/** 1: the packet opens a flow, so that its bucket may be named; see program.ts. */
export const OPENS = -96;

export const PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17, DCCP: 33, ICMPV6: 58, SCTP: 132, UDPLITE: 136 };

const TCP_FLAGS = 13;
/** FIN, SYN, RST, PSH, ACK and URG. */
const TCP_FLAG_BITS = 0x3f;
const SYN_ACK = 0x12;
const SYN = 0x02;
const PORTS_BYTES = 4;
const ICMP_BYTES = 8;

/** One family's header, and the types of ICMP messages that carry an id. */
export interface Family {
  /** As the context has it: network byte order. */
  readonly etherType: number;
  readonly version: 4 | 6;
  readonly headerBytes: number;
  readonly next: number;
  /** Offsets in the frame of the program. */
  readonly source: number;
  readonly destination: number;
  readonly addressWords: number;
  readonly icmp: number;
  readonly queries: readonly number[];
  readonly replies: readonly number[];
}

export const IPV4: Family = {
  ...{ etherType: 0x0008, version: 4, headerBytes: 20, next: 9, addressWords: 1 },
  ...{ source: IP + 12, destination: IP + 16 },
  ...{ icmp: PROTOCOL.ICMP, queries: [8, 13, 15, 17], replies: [0, 14, 16, 18] },
};

export const IPV6: Family = {
  ...{ etherType: 0xdd86, version: 6, headerBytes: 40, next: 6, addressWords: 4 },
  ...{ source: IP + 8, destination: IP + 24 },
  ...{ icmp: PROTOCOL.ICMPV6, queries: [128], replies: [129] },
};

/** Leaves R6 and jumps to the family's label, or on, for frames that are neither. */
export function emitFamilies(out: Assembler, four: Label, six: Label, pass: Label): void {
  out.alu64(ALU.MOV, R6, R1);
  // A tag that the card has taken off: the frame is that of another interface.
  out.load(SIZE.U32, R0, R6, SKB_VLAN_PRESENT);
  out.jumpImm(JUMP.NE, R0, 0, pass);
  out.load(SIZE.U32, R0, R6, SKB_PROTOCOL);
  out.jumpImm(JUMP.EQ, R0, IPV4.etherType, four);
  out.jumpImm(JUMP.EQ, R0, IPV6.etherType, six);
}

/** Reads both headers; to `mac` only, no multicast, whole packets. Leaves R8 and R9. */
export function emitNetwork(out: Assembler, family: Family, mac: Uint8Array, pass: Label): void {
  out.alu64Imm(ALU.MOV, R2, 0);
  emitRead(out, ETHERNET, ETHERNET_BYTES + family.headerBytes, pass);
  for (let at = 0; at < mac.length; at += 2) {
    out.load(SIZE.U16, R0, FP, ETHERNET + at);
    out.jumpImm(JUMP.NE, R0, (mac[at] as number) | ((mac[at + 1] as number) << 8), pass);
  }
  out.load(SIZE.U8, R0, FP, IP);
  out.alu64(ALU.MOV, R8, R0);
  out.alu32Imm(ALU.RSH, R0, 4);
  out.jumpImm(JUMP.NE, R0, family.version, pass);
  if (family.version === 4) emitIpv4(out, pass);
  else emitIpv6(out, pass);
  out.load(SIZE.U8, R9, FP, IP + family.next);
}

function emitIpv4(out: Assembler, pass: Label): void {
  out.alu32Imm(ALU.AND, R8, 0x0f);
  out.alu32Imm(ALU.LSH, R8, 2);
  out.jumpImm(JUMP.LT, R8, IPV4.headerBytes, pass);
  out.alu32Imm(ALU.ADD, R8, ETHERNET_BYTES);
  out.load(SIZE.U16, R0, FP, IP + 6);
  out.fromNetwork(R0, 16);
  out.alu32Imm(ALU.AND, R0, 0x3fff); // more fragments, or not the first
  out.jumpImm(JUMP.NE, R0, 0, pass);
  out.load(SIZE.U8, R0, FP, IPV4.destination);
  out.alu32Imm(ALU.AND, R0, 0xf0);
  out.jumpImm(JUMP.EQ, R0, 0xe0, pass); // multicast
}

function emitIpv6(out: Assembler, pass: Label): void {
  out.alu64Imm(ALU.MOV, R8, ETHERNET_BYTES + IPV6.headerBytes);
  out.load(SIZE.U8, R0, FP, IPV6.destination);
  out.jumpImm(JUMP.EQ, R0, 0xff, pass); // multicast
}

/** Copies `bytes` of the frame from offset R2 on to `to`; jumps to `pass` where there are fewer. */
function emitRead(out: Assembler, to: number, bytes: number, pass: Label): void {
  out.alu64(ALU.MOV, R1, R6);
  out.alu64(ALU.MOV, R3, FP);
  out.alu64Imm(ALU.ADD, R3, to);
  out.alu64Imm(ALU.MOV, R4, bytes);
  out.call(SKB_LOAD_BYTES);
  out.jumpImm(JUMP.NE, R0, 0, pass);
}

function emitReadTransport(out: Assembler, bytes: number, pass: Label): void {
  out.alu64(ALU.MOV, R2, R8);
  emitRead(out, TRANSPORT, bytes, pass);
}

/** Where packets go whose ports are known. */
export interface Ends {
  /** What only opens a flow, and is no reply: a TCP SYN, an ICMP query. */
  readonly opens: Label;
  /** The rest; null: they pass. */
  readonly other: Label | null;
  readonly pass: Label;
}

/**
 * Reads ports or id into R4 and R5, and sets {@link OPENS} for what may open a flow: beside what
 * goes to `ends.opens` that is UDP. SCTP and DCCP are told apart by no opening here, so they pass
 * where that matters.
 * @param isOpeningTold whether `ends` differ, or `OPENS` is asked for
 */
export function emitTransport(
  out: Assembler,
  family: Family,
  ends: Ends,
  isOpeningTold: boolean,
): void {
  out.storeImm(SIZE.U32, FP, OPENS, 0);
  const [tcp, icmp, ports] = [new Label(), new Label(), new Label()];
  out.jumpImm(JUMP.EQ, R9, PROTOCOL.TCP, tcp);
  out.jumpImm(JUMP.EQ, R9, family.icmp, icmp);
  if (ends.other !== null) {
    out.jumpImm(JUMP.EQ, R9, PROTOCOL.UDP, ports);
    out.jumpImm(JUMP.EQ, R9, PROTOCOL.UDPLITE, ports);
    if (!isOpeningTold) {
      out.jumpImm(JUMP.EQ, R9, PROTOCOL.SCTP, ports);
      out.jumpImm(JUMP.EQ, R9, PROTOCOL.DCCP, ports);
    }
  }
  out.goto(ends.pass);

  out.place(ports);
  if (ends.other !== null) {
    emitReadTransport(out, PORTS_BYTES, ends.pass);
    emitPorts(out);
    const notUdp = new Label();
    out.jumpImm(JUMP.EQ, R9, PROTOCOL.SCTP, notUdp);
    out.jumpImm(JUMP.EQ, R9, PROTOCOL.DCCP, notUdp);
    out.storeImm(SIZE.U32, FP, OPENS, 1);
    out.place(notUdp);
    out.goto(ends.other);
  }
  out.place(tcp);
  emitReadTransport(out, isOpeningTold ? TCP_FLAGS + 1 : PORTS_BYTES, ends.pass);
  emitPorts(out);
  if (isOpeningTold) {
    const notPlain = new Label();
    out.load(SIZE.U8, R0, FP, TRANSPORT + TCP_FLAGS);
    out.alu32Imm(ALU.AND, R0, TCP_FLAG_BITS);
    out.jumpImm(JUMP.NE, R0, SYN, notPlain);
    out.storeImm(SIZE.U32, FP, OPENS, 1);
    out.place(notPlain);
    out.alu32Imm(ALU.AND, R0, SYN_ACK);
    out.jumpImm(JUMP.EQ, R0, SYN, ends.opens);
  }
  out.goto(ends.other ?? ends.pass);

  out.place(icmp);
  emitIcmp(out, family, ends);
}

function emitPorts(out: Assembler): void {
  out.load(SIZE.U16, R4, FP, TRANSPORT);
  out.fromNetwork(R4, 16);
  out.load(SIZE.U16, R5, FP, TRANSPORT + 2);
  out.fromNetwork(R5, 16);
}

function emitIcmp(out: Assembler, { queries, replies }: Family, ends: Ends): void {
  emitReadTransport(out, ICMP_BYTES, ends.pass);
  out.load(SIZE.U16, R4, FP, TRANSPORT + 4);
  out.fromNetwork(R4, 16);
  out.alu64(ALU.MOV, R5, R4);
  const query = new Label();
  out.load(SIZE.U8, R0, FP, TRANSPORT);
  for (const type of queries) out.jumpImm(JUMP.EQ, R0, type, query);
  if (ends.other !== null) {
    for (const type of replies) out.jumpImm(JUMP.EQ, R0, type, ends.other);
  }
  out.goto(ends.pass);
  out.place(query);
  out.storeImm(SIZE.U32, FP, OPENS, 1);
  out.goto(ends.opens);
}
