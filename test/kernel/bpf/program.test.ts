/**
 * The program against the dissector and the hash of the workers, in the kernel of this machine:
 * BPF_PROG_TEST_RUN gives a frame to the loaded program. Needs root.
 */
import { expect, test } from "vitest";
import { Assembler, R0, R9, SIZE } from "../../../src/kernel/bpf/assembler.js";
import { loadClassifier } from "../../../src/kernel/bpf/load.js";
import { bucketProgram, PASS } from "../../../src/kernel/bpf/program.js";
import type { BpfProgram } from "../../../src/platform/native.js";
import {
  FRAMES,
  isLongEnough,
  REFUSED,
  randomPackets,
  SETTINGS,
  type Trial,
  Workers,
} from "../../fixture/bucket-program.js";
import { isRoot, rootOnly } from "../../fixture/netns.js";
import { networkOffset, readCapture, readHexFrame } from "../../fixture/pcap.js";
import { FRAME_MAC, frameOf } from "../../fixture/random-frames.js";
import { testdata, testdataFiles, withTestdata } from "../../fixture/testdata.js";

const result = new Int32Array(3);
function run(program: BpfProgram, frame: Uint8Array): number {
  program.run(frame, 1, result);
  return result[0] as number;
}

/** The IP packets of all captures, whole. */
function* captured(): Generator<Uint8Array> {
  for (const name of testdataFiles("pcap")) {
    const file = testdata(`pcap/${name}`);
    const frames = name.endsWith(".dat")
      ? [readHexFrame(Buffer.from(file).toString("latin1"))]
      : (readCapture(file) ?? []);
    for (const frame of frames) {
      const at = networkOffset(frame);
      if (at < 0 || at >= frame.bytes.length || frame.bytes.length - at > 3000) continue;
      yield frame.bytes.subarray(at);
    }
  }
}

/** Packets on which program and workers differ, and how many the program judged. */
function compared(each: Trial, packets: Iterable<Uint8Array>) {
  const program = loadClassifier("bucket", bucketProgram(each, FRAME_MAC));
  const workers = new Workers(each);
  const wrong: string[] = [];
  let judged = 0;
  let hashable = 0;
  for (const bytes of packets) {
    if (!isLongEnough(bytes)) continue;
    const got = run(program, frameOf(bytes));
    const wanted = workers.bucketOf(bytes);
    if (wanted >= 0) hashable += 1;
    if (got === PASS) continue;
    judged += 1;
    if (wanted !== REFUSED && wanted !== got && wrong.length < 5) {
      wrong.push(`${Buffer.from(bytes).toString("hex")}: ${got}, not ${wanted}`);
    }
  }
  program.close();
  return { wrong, judged, hashable };
}

test("a program that the verifier refuses: the error says why", () => {
  const out = new Assembler();
  out.load(SIZE.U32, R0, R9, 0);
  out.exit();
  const load = () => loadClassifier("wrong", out.bytes());
  if (isRoot) expect(load).toThrow(/load the program wrong: EACCES \(the verifier: .*R9 !read_ok/);
  else expect(load).toThrow(/EPERM \(needs CAP_BPF\)/);
});

rootOnly("the program in the kernel computes the bucket of the workers", () => {
  test.each(SETTINGS)("$mode, seed $seed, $buckets buckets: random packets", (each) => {
    const { wrong, judged, hashable } = compared(each, randomPackets(each));
    expect(wrong).toEqual([]);
    // It judges a good part of what can be judged: an equality of nothing would prove nothing.
    expect(judged).toBeGreaterThan(hashable * (each.mode === "tuple" ? 0.5 : 0.1));
    expect(judged).toBeGreaterThan(FRAMES / 40);
  });

  withTestdata("captures", () => {
    test.each(SETTINGS)("$mode, seed $seed, $buckets buckets", (each) => {
      const { wrong, judged } = compared(each, captured());
      expect(wrong).toEqual([]);
      expect(judged).toBeGreaterThan(each.mode === "tuple" ? 200 : 30);
    });
  });
});
