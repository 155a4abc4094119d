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
 * Optionally what passes and may open a flow leaves with its bucket in the packet mark, as a worker
 * would have left it: the rules need not ask the workers then (ruleset.ts).
 *
 *     map of one value:   word 0 whether anything is refused at all; word 1 unused;
 *                         from word 2 on a bit for each bucket that passes
 */
import { MarkField } from "../../state/mark-field.js";
import { ALU, Assembler, FP, JUMP, Label, R0, R1, R2, R3, R4, SIZE } from "./assembler.js";
import { type DropSettings, emitBucket } from "./bucket.js";
import { emitFamilies, emitNetwork, IPV4, IPV6, OPENS } from "./parse.js";

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
/** Where the context is kept while the hash needs its register. */
const CONTEXT = -88;
const SKB_MARK = 8; // struct __sk_buff

/** Instructions for frames to `mac`. */
export function dropProgram(settings: DropSettings, mac: Uint8Array, maps: DropMaps): Uint8Array {
  return assemble(settings, mac, (out, pass) => {
    const inside = new Label();
    emitLookup(out, settings.buckets, maps, pass, inside);
    out.alu64Imm(ALU.MOV, R0, DROP);
    out.exit();
    out.place(inside);
    if (settings.markMask !== null) emitMark(out, new MarkField(settings.markMask), pass);
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
  out.store(SIZE.U64, FP, CONTEXT, R1);
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

/**
 * Jumps to `pass` if nothing is to be refused, to `inside` with the bucket in R4 if that is in the
 * set; else counts.
 */
function emitLookup(
  out: Assembler,
  buckets: number,
  maps: DropMaps,
  pass: Label,
  inside: Label,
): void {
  const words = Math.ceil(buckets / 32);
  const uncounted = new Label();
  out.mapValue(R2, maps.buckets);
  out.load(SIZE.U32, R3, R2, 0);
  out.jumpImm(JUMP.EQ, R3, 0, pass);
  out.alu64(ALU.MOV, R4, R0);
  out.alu64(ALU.MOV, R1, R0);
  out.alu32Imm(ALU.RSH, R1, 5);
  out.alu32Imm(ALU.AND, R1, words - 1); // changes nothing, but the verifier can see the bound
  out.alu32Imm(ALU.LSH, R1, 2);
  out.alu64(ALU.ADD, R2, R1);
  out.load(SIZE.U32, R3, R2, SET_HEAD_BYTES);
  out.alu32Imm(ALU.AND, R0, 31);
  out.alu32(ALU.RSH, R3, R0);
  out.alu32Imm(ALU.AND, R3, 1);
  out.jumpImm(JUMP.NE, R3, 0, inside);

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

/** Names the bucket in R4 in the packet mark, for what opens a flow. */
function emitMark(out: Assembler, field: MarkField, pass: Label): void {
  out.load(SIZE.U32, R0, FP, OPENS);
  out.jumpImm(JUMP.EQ, R0, 0, pass);
  out.load(SIZE.U64, R1, FP, CONTEXT);
  out.load(SIZE.U32, R2, R1, SKB_MARK);
  out.alu32Imm(ALU.AND, R2, ~field.mask);
  out.alu32Imm(ALU.ADD, R4, 1);
  out.alu32Imm(ALU.LSH, R4, field.shift);
  out.alu32(ALU.OR, R2, R4);
  out.store(SIZE.U32, R1, SKB_MARK, R2);
}
