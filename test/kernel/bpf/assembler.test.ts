/** Instructions as literal bytes, after the tables of RFC 9669. */
import { describe, expect, test } from "vitest";
import {
  ALU,
  Assembler,
  FP,
  JUMP,
  Label,
  R0,
  R1,
  R2,
  R9,
  SIZE,
} from "../../../src/kernel/bpf/assembler.js";

const hexOf = (write: (out: Assembler) => void) => {
  const out = new Assembler();
  write(out);
  return Buffer.from(out.bytes()).toString("hex");
};

describe("one instruction", () => {
  const cases: [what: string, write: (out: Assembler) => void, bytes: string][] = [
    ["r1 = r2", (out) => out.alu64(ALU.MOV, R1, R2), "bf21000000000000"],
    ["w1 -= w9", (out) => out.alu32(ALU.SUB, R1, R9), "1c91000000000000"],
    ["w1 += -5", (out) => out.alu32Imm(ALU.ADD, R1, -5), "04010000fbffffff"],
    ["r0 = -1", (out) => out.alu64Imm(ALU.MOV, R0, -1), "b7000000ffffffff"],
    ["r0 *= 65536", (out) => out.alu64Imm(ALU.MUL, R0, 65536), "2700000000000100"],
    ["w2 = 0xdeadbeef", (out) => out.alu32Imm(ALU.MOV, R2, 0xdeadbeef), "b4020000efbeadde"],
    ["r9 = be16 r9", (out) => out.fromNetwork(R9, 16), "dc09000010000000"],
    ["r1 = *(u8 *)(fp - 64)", (out) => out.load(SIZE.U8, R1, FP, -64), "71a1c0ff00000000"],
    ["r1 = *(u64 *)(r2 + 8)", (out) => out.load(SIZE.U64, R1, R2, 8), "7921080000000000"],
    ["*(u64 *)(r0) = r1", (out) => out.store(SIZE.U64, R0, 0, R1), "7b10000000000000"],
    ["*(u32 *)(fp - 8) = 7", (out) => out.storeImm(SIZE.U32, FP, -8, 7), "620af8ff07000000"],
    ["call 26", (out) => out.call(26), "850000001a000000"],
    ["exit", (out) => out.exit(), "9500000000000000"],
    ["r1 = map 5", (out) => out.mapHandle(R1, 5), "18110000050000000000000000000000"],
    ["r2 = value of map 5", (out) => out.mapValue(R2, 5), "18220000050000000000000000000000"],
  ];

  test.each(cases)("%s", (_, write, bytes) => expect(hexOf(write)).toBe(bytes));
});

describe("jumps", () => {
  test("ahead and back, counted from the next instruction", () => {
    const bytes = hexOf((out) => {
      const [start, end] = [new Label(), new Label()];
      out.place(start);
      out.jump(JUMP.LT, R0, R1, end);
      out.jumpImm(JUMP.EQ, R0, 5, start);
      out.goto(end);
      out.place(end);
      out.exit();
    });
    expect(bytes.match(/.{16}/g)).toEqual([
      "ad10020000000000",
      "1500feff05000000",
      "0500000000000000",
      "9500000000000000",
    ]);
  });

  test("to nowhere are a mistake of the program", () => {
    expect(() => hexOf((out) => out.goto(new Label()))).toThrow(RangeError);
  });
});
