/**
 * The program that refuses foreign packets before connection tracking sees them.
 *
 *     frame -> not ours to judge? pass
 *           -> bucket, as packet/flow/ computes it
 *           -> in the set of the map? pass; else drop and count
 *
 * It never accepts: what passes is judged by rules and workers as if the program were not there. So
 * all that has to be right is a drop, and where a bucket is not certain, the packet passes. In mode
 * `tuple` any packet names the bucket of its flow. In the other modes only the opener does, so only
 * what opens a flow for sure (a TCP SYN, an ICMP query) is judged there.
 *
 *     map of one value:   word 0 whether anything is refused at all; word 1 unused;
 *                         from word 2 on a bit for each bucket that passes
 */
import type { HashMode } from "../../config/types.js";
import { ALU, Assembler, FP, JUMP, Label, R0, R1, R2, R3, R4, R5, R9, SIZE } from "./assembler.js";
import { emitHash, type Word } from "./hash.js";
import {
  type Ends,
  emitFamilies,
  emitNetwork,
  emitTransport,
  type Family,
  IPV4,
  IPV6,
} from "./parse.js";

/** An address that flows are translated to, whose ports name buckets: one slice for each. */
export interface SlicedAddress {
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  /** First port of the first slice. */
  readonly first: number;
  /** Ports of a slice, at least 1. */
  readonly width: number;
}

/** What the program depends on. */
export interface DropSettings {
  readonly mode: HashMode;
  /** uint32 */
  readonly seed: number;
  readonly buckets: number;
  readonly sliced: readonly SlicedAddress[];
}

/** The maps it uses, by their descriptors. */
export interface DropMaps {
  readonly buckets: number;
  readonly dropped: number;
}

/** Verdicts of a classifier (linux/pkt_cls.h), as 32-bit numbers. */
export const PASS = -1; // TC_ACT_UNSPEC: the next program decides
export const DROP = 2; // TC_ACT_SHOT

/** Bytes before the bits of the buckets. */
export const SET_HEAD_BYTES = 8;
const MAP_LOOKUP_ELEM = 1; // enum bpf_func_id
const KEY = -8;

/** Instructions for frames to `mac`. */
export function dropProgram(settings: DropSettings, mac: Uint8Array, maps: DropMaps): Uint8Array {
  return assemble(settings, mac, (out, pass) => {
    emitLookup(out, settings.buckets, maps, pass);
    out.alu64Imm(ALU.MOV, R0, DROP);
    out.exit();
  });
}

/**
 * The same up to the bucket, which it returns in place of a verdict; {@link PASS} where it would
 * not judge. For proofs that it computes what the workers do.
 */
export function bucketProgram(settings: DropSettings, mac: Uint8Array): Uint8Array {
  return assemble(settings, mac, (out) => out.exit());
}

/** @param finish goes on with the bucket in R0 */
function assemble(
  settings: DropSettings,
  mac: Uint8Array,
  finish: (out: Assembler, pass: Label) => void,
): Uint8Array {
  const out = new Assembler();
  const [four, six, pass, found] = [new Label(), new Label(), new Label(), new Label()];
  emitFamilies(out, four, six, pass);
  out.goto(pass);
  for (const [label, family] of [
    [four, IPV4],
    [six, IPV6],
  ] as const) {
    out.place(label);
    emitNetwork(out, family, mac, pass);
    emitBucket(out, family, settings, pass);
    out.goto(found);
  }
  out.place(found);
  finish(out, pass);
  out.place(pass);
  out.alu64Imm(ALU.MOV, R0, PASS);
  out.exit();
  return out.bytes();
}

/** R0 = bucket. */
function emitBucket(out: Assembler, family: Family, settings: DropSettings, pass: Label): void {
  const [opens, other, done] = [new Label(), new Label(), new Label()];
  const isTuple = settings.mode === "tuple";
  const sliced = settings.sliced.filter(
    ({ address }) => isTuple && address.length === family.addressWords * 4,
  );
  const ends: Ends = { opens, other: isTuple ? other : null, pass };
  emitTransport(out, family, ends, !isTuple || sliced.length > 0);
  out.place(other);
  for (const each of sliced) emitSlice(out, family, each, settings.buckets, done);
  out.place(opens);
  if (isTuple) emitTuple(out, family, settings.seed);
  else emitSource(out, family, settings);
  out.alu64(ALU.MOV, R0, R9);
  out.alu64Imm(ALU.MUL, R0, settings.buckets);
  out.alu64Imm(ALU.RSH, R0, 32);
  out.place(done);
}

/** R0 = bucket of the slice that the destination lies in; jumps to `done` then, else goes on. */
function emitSlice(
  out: Assembler,
  family: Family,
  { address, first, width }: SlicedAddress,
  buckets: number,
  done: Label,
): void {
  const next = new Label();
  const bytes = Buffer.from(address);
  for (let at = 0; at < bytes.length; at += 4) {
    out.load(SIZE.U32, R0, FP, family.destination + at);
    out.alu32Imm(ALU.XOR, R0, bytes.readInt32LE(at));
    out.jumpImm(JUMP.NE, R0, 0, next);
  }
  out.jumpImm(JUMP.LT, R5, first, next);
  out.jumpImm(JUMP.GE, R5, first + buckets * width, next);
  out.alu64(ALU.MOV, R0, R5);
  out.alu32Imm(ALU.SUB, R0, first);
  out.alu32Imm(ALU.DIV, R0, width);
  out.goto(done);
  out.place(next);
}

/** R9 = hash of both ends, the lower one first. */
function emitTuple(out: Assembler, family: Family, seed: number): void {
  const { source, destination, addressWords } = family;
  emitAddress(out, R2, source);
  emitAddress(out, R3, destination);
  const [swap, sorted] = [new Label(), new Label()];
  emitCompare(out, family, swap, sorted);
  out.place(swap);
  for (const [one, two] of [
    [R2, R3],
    [R4, R5],
  ] as const) {
    out.alu64(ALU.MOV, R0, one);
    out.alu64(ALU.MOV, one, two);
    out.alu64(ALU.MOV, two, R0);
  }
  out.place(sorted);
  out.alu32Imm(ALU.LSH, R4, 16);
  out.alu32(ALU.OR, R4, R5);
  const words = [R2, R3].flatMap((address) => addressOf(out, address, addressWords));
  emitHash(out, [...words, () => out.alu32(ALU.MOV, R0, R4)], seed, R9);
}

/** Jumps to `swap` or `sorted`: addresses as numbers, then ports. R0 and R1 are lost. */
function emitCompare(out: Assembler, family: Family, swap: Label, sorted: Label): void {
  const bits = family.addressWords === 1 ? 32 : 64;
  const size = bits === 32 ? SIZE.U32 : SIZE.U64;
  for (let at = 0; at < family.addressWords * 4; at += bits / 8) {
    out.load(size, R0, R2, at);
    out.fromNetwork(R0, bits);
    out.load(size, R1, R3, at);
    out.fromNetwork(R1, bits);
    out.jump(JUMP.LT, R0, R1, sorted);
    out.jump(JUMP.GT, R0, R1, swap);
  }
  out.jump(JUMP.LE, R4, R5, sorted);
}

/** R9 = hash of the source address. */
function emitSource(out: Assembler, family: Family, { mode, seed }: DropSettings): void {
  emitAddress(out, R2, family.source);
  // The kernel's match reads the first four bytes as a number of the machine.
  const first: Word = () => out.load(SIZE.U32, R0, R2, 0);
  const words = mode === "source" ? addressOf(out, R2, family.addressWords) : [first];
  emitHash(out, words, seed, null);
}

function emitAddress(out: Assembler, register: number, offset: number): void {
  out.alu64(ALU.MOV, register, FP);
  out.alu64Imm(ALU.ADD, register, offset);
}

function addressOf(out: Assembler, register: number, words: number): Word[] {
  return Array.from({ length: words }, (_, word) => () => {
    out.load(SIZE.U32, R0, register, word * 4);
    out.fromNetwork(R0, 32);
  });
}

/** Jumps to `pass` if the bucket in R0 is in the set or nothing is to be refused; else counts. */
function emitLookup(out: Assembler, buckets: number, maps: DropMaps, pass: Label): void {
  const words = Math.ceil(buckets / 32);
  const uncounted = new Label();
  out.mapValue(R2, maps.buckets);
  out.load(SIZE.U32, R3, R2, 0);
  out.jumpImm(JUMP.EQ, R3, 0, pass);
  out.alu64(ALU.MOV, R1, R0);
  out.alu32Imm(ALU.RSH, R1, 5);
  out.alu32Imm(ALU.AND, R1, words - 1); // changes nothing, but the verifier can see the bound
  out.alu32Imm(ALU.LSH, R1, 2);
  out.alu64(ALU.ADD, R2, R1);
  out.load(SIZE.U32, R3, R2, SET_HEAD_BYTES);
  out.alu32Imm(ALU.AND, R0, 31);
  out.alu32(ALU.RSH, R3, R0);
  out.alu32Imm(ALU.AND, R3, 1);
  out.jumpImm(JUMP.NE, R3, 0, pass);

  out.storeImm(SIZE.U32, FP, KEY, 0);
  out.mapHandle(R1, maps.dropped);
  out.alu64(ALU.MOV, R2, FP);
  out.alu64Imm(ALU.ADD, R2, KEY);
  out.call(MAP_LOOKUP_ELEM);
  out.jumpImm(JUMP.EQ, R0, 0, uncounted);
  out.load(SIZE.U64, R1, R0, 0);
  out.alu64Imm(ALU.ADD, R1, 1);
  out.store(SIZE.U64, R0, 0, R1);
  out.place(uncounted);
}
