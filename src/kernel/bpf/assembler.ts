/**
 * eBPF instructions as bytes (linux/bpf.h; RFC 9669). One call is one instruction, in the order of
 * the program; jumps name a label, which is placed once, before or behind them.
 *
 *      0       1       2       4                8
 *     +-------+---+---+-------+----------------+
 *     | code  |src|dst|offset |   immediate    |     a word of 64 bits takes two of these
 *     +-------+---+---+-------+----------------+
 *
 * Little-endian machines only, as all that the addon is built for.
 */

/** Registers: R0 results, R1..R5 arguments and scratch, R6..R9 kept by calls, FP the frame. */
export const R0 = 0;
export const R1 = 1;
export const R2 = 2;
export const R3 = 3;
export const R4 = 4;
export const R5 = 5;
export const R6 = 6;
export const R7 = 7;
export const R8 = 8;
export const R9 = 9;
export const FP = 10;

/** Arithmetic, by the upper four bits of the code. */
export const ALU = {
  ADD: 0x00,
  SUB: 0x10,
  MUL: 0x20,
  DIV: 0x30,
  OR: 0x40,
  AND: 0x50,
  LSH: 0x60,
  RSH: 0x70,
  XOR: 0xa0,
  MOV: 0xb0,
} as const;

/** Conditions of jumps, unsigned. */
export const JUMP = {
  ALWAYS: 0x00,
  EQ: 0x10,
  GT: 0x20,
  GE: 0x30,
  NE: 0x50,
  LT: 0xa0,
  LE: 0xb0,
} as const;

/** Sizes of loads and stores. */
export const SIZE = { U32: 0x00, U16: 0x08, U8: 0x10, U64: 0x18 } as const;

const CLASS_LOAD_IMMEDIATE = 0x00;
const CLASS_LOAD = 0x01;
const CLASS_STORE_IMMEDIATE = 0x02;
const CLASS_STORE = 0x03;
const CLASS_ALU32 = 0x04;
const CLASS_JUMP = 0x05;
const CLASS_ALU64 = 0x07;
const MODE_MEMORY = 0x60;
const FROM_REGISTER = 0x08;
const CALL = 0x80;
const EXIT = 0x90;
const TO_BIG_ENDIAN = 0xd8;
const PSEUDO_MAP_FD = 1;
const PSEUDO_MAP_VALUE = 2;

const INSTRUCTION_BYTES = 8;

/** A place in a program that jumps can name. */
export class Label {
  /** Index of the instruction it stands before; -1 until it is placed. */
  at = -1;
}

interface Instruction {
  readonly code: number;
  readonly dst: number;
  readonly src: number;
  readonly offset: number | Label;
  readonly immediate: number;
}

export class Assembler {
  private readonly instructions: Instruction[] = [];

  /** Instructions so far. */
  get length(): number {
    return this.instructions.length;
  }

  place(label: Label): void {
    label.at = this.length;
  }

  /** 32-bit arithmetic with a register; the upper half of `dst` becomes 0. */
  alu32(operation: number, dst: number, src: number): void {
    this.emit(CLASS_ALU32 | FROM_REGISTER | operation, dst, src, 0, 0);
  }

  alu32Imm(operation: number, dst: number, value: number): void {
    this.emit(CLASS_ALU32 | operation, dst, 0, 0, value);
  }

  /** 64-bit arithmetic, also on pointers. */
  alu64(operation: number, dst: number, src: number): void {
    this.emit(CLASS_ALU64 | FROM_REGISTER | operation, dst, src, 0, 0);
  }

  /** `value` is extended with its sign. */
  alu64Imm(operation: number, dst: number, value: number): void {
    this.emit(CLASS_ALU64 | operation, dst, 0, 0, value);
  }

  /** Takes the lower `bits` (16, 32, 64) of `dst` as a number in network byte order. */
  fromNetwork(dst: number, bits: number): void {
    this.emit(CLASS_ALU32 | TO_BIG_ENDIAN, dst, 0, 0, bits);
  }

  load(size: number, dst: number, src: number, offset: number): void {
    this.emit(CLASS_LOAD | MODE_MEMORY | size, dst, src, offset, 0);
  }

  store(size: number, dst: number, offset: number, src: number): void {
    this.emit(CLASS_STORE | MODE_MEMORY | size, dst, src, offset, 0);
  }

  storeImm(size: number, dst: number, offset: number, value: number): void {
    this.emit(CLASS_STORE_IMMEDIATE | MODE_MEMORY | size, dst, 0, offset, value);
  }

  /** 64-bit comparison of registers. */
  jump(condition: number, dst: number, src: number, target: Label): void {
    this.emit(CLASS_JUMP | FROM_REGISTER | condition, dst, src, target, 0);
  }

  /** The same with `value`, which is extended with its sign. */
  jumpImm(condition: number, dst: number, value: number, target: Label): void {
    this.emit(CLASS_JUMP | condition, dst, 0, target, value);
  }

  goto(target: Label): void {
    this.emit(CLASS_JUMP | JUMP.ALWAYS, 0, 0, target, 0);
  }

  /** Loads the handle of a map, for calls. */
  mapHandle(dst: number, fd: number): void {
    this.wide(dst, PSEUDO_MAP_FD, fd);
  }

  /** Loads the address of the first value of an array map. */
  mapValue(dst: number, fd: number): void {
    this.wide(dst, PSEUDO_MAP_VALUE, fd);
  }

  /** Calls a helper of the kernel (enum bpf_func_id); R1..R5 are lost, R0 has the result. */
  call(helper: number): void {
    this.emit(CLASS_JUMP | CALL, 0, 0, 0, helper);
  }

  exit(): void {
    this.emit(CLASS_JUMP | EXIT, 0, 0, 0, 0);
  }

  /** The program, its jumps resolved. @throws RangeError for a label that was never placed */
  bytes(): Uint8Array {
    const bytes = Buffer.alloc(this.length * INSTRUCTION_BYTES);
    this.instructions.forEach(({ code, dst, src, offset, immediate }, index) => {
      const at = index * INSTRUCTION_BYTES;
      bytes.writeUInt8(code, at);
      bytes.writeUInt8((src << 4) | dst, at + 1);
      bytes.writeInt16LE(typeof offset === "number" ? offset : distance(index, offset), at + 2);
      bytes.writeInt32LE(immediate | 0, at + 4);
    });
    return bytes;
  }

  private wide(dst: number, kind: number, value: number): void {
    this.emit(CLASS_LOAD_IMMEDIATE | SIZE.U64, dst, kind, 0, value);
    this.emit(0, 0, 0, 0, 0);
  }

  private emit(
    code: number,
    dst: number,
    src: number,
    offset: number | Label,
    immediate: number,
  ): void {
    this.instructions.push({ code, dst, src, offset, immediate });
  }
}

/** Jumps count from the instruction behind them. */
function distance(from: number, label: Label): number {
  if (label.at < 0) throw new RangeError("a jump to a label that was never placed");
  return label.at - from - 1;
}
