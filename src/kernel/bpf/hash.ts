/**
 * The hash of packet/flow/jhash.ts as instructions: the same steps on the same words, in R7, R8 and
 * R9. R0 and R1 are lost; the result is in R9.
 */
import { ALU, type Assembler, R0, R1, R7, R8, R9 } from "./assembler.js";

const A = R7;
const B = R8;
const C = R9;

/** Arbitrary start value of the kernel's variant. */
const INITVAL = 0xdeadbeef | 0;
const WORD_BYTES = 4;

/** A word of the input: writes it to R0. */
export type Word = () => void;

/**
 * Hashes `words`.
 * @param seed uint32, part of the start value
 * @param seedRegister its number is added to the seed; null: nothing is. Lost
 */
export function emitHash(
  out: Assembler,
  words: readonly Word[],
  seed: number,
  seedRegister: number | null,
): void {
  const start = (INITVAL + words.length * WORD_BYTES + seed) | 0;
  if (seedRegister === null) out.alu32Imm(ALU.MOV, A, start);
  else {
    out.alu32Imm(ALU.ADD, seedRegister, start);
    out.alu32(ALU.MOV, A, seedRegister);
  }
  out.alu32(ALU.MOV, B, A);
  out.alu32(ALU.MOV, C, A);
  let at = 0;
  for (; words.length - at > 3; at += 3) {
    emitAdd(out, words.slice(at, at + 3));
    emitMix(out);
  }
  emitAdd(out, words.slice(at));
  emitLast(out);
}

function emitAdd(out: Assembler, words: readonly Word[]): void {
  words.forEach((word, index) => {
    word();
    out.alu32(ALU.ADD, A + index, R0);
  });
}

/** A round between words (`__jhash_mix`). */
function emitMix(out: Assembler): void {
  for (const [x, y, z, bits] of [
    [A, C, B, 4],
    [B, A, C, 6],
    [C, B, A, 8],
    [A, C, B, 16],
    [B, A, C, 19],
    [C, B, A, 4],
  ] as const) {
    out.alu32(ALU.SUB, x, y);
    emitRotated(out, y, bits);
    out.alu32(ALU.XOR, x, R0);
    out.alu32(ALU.ADD, y, z);
  }
}

/** The closing round (`__jhash_final`). */
function emitLast(out: Assembler): void {
  for (const [x, y, bits] of [
    [C, B, 14],
    [A, C, 11],
    [B, A, 25],
    [C, B, 16],
    [A, C, 4],
    [B, A, 14],
    [C, B, 24],
  ] as const) {
    out.alu32(ALU.XOR, x, y);
    emitRotated(out, y, bits);
    out.alu32(ALU.SUB, x, R0);
  }
}

/** R0 = `register` rotated left. */
function emitRotated(out: Assembler, register: number, bits: number): void {
  out.alu32(ALU.MOV, R0, register);
  out.alu32Imm(ALU.LSH, R0, bits);
  out.alu32(ALU.MOV, R1, register);
  out.alu32Imm(ALU.RSH, R1, 32 - bits);
  out.alu32(ALU.OR, R0, R1);
}
