/**
 * From the ends of a packet to its bucket, as packet/flow/ computes it, as instructions. Takes what
 * parse.ts leaves in the frame and in R4, R5 and R9; R6 is lost.
 */
import type { HashMode } from "../../config/types.js";
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
  R9,
  SIZE,
} from "./assembler.js";
import { emitHash, type Word } from "./hash.js";
import { type Ends, emitTransport, type Family } from "./parse.js";

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
  /** The field of the packet mark that names the bucket of what opens a flow; null: none does. */
  readonly markMask: number | null;
}

/** R0 = bucket. */
export function emitBucket(
  out: Assembler,
  family: Family,
  settings: DropSettings,
  pass: Label,
): void {
  const [opens, other, done] = [new Label(), new Label(), new Label()];
  const isTuple = settings.mode === "tuple";
  const sliced = settings.sliced.filter(
    ({ address }) => isTuple && address.length === family.addressWords * 4,
  );
  const ends: Ends = { opens, other: isTuple ? other : null, pass };
  const isOpeningTold = !isTuple || sliced.length > 0 || settings.markMask !== null;
  emitTransport(out, family, ends, isOpeningTold);
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
