/**
 * What the early drop's program leaves in the packet mark (`dataplane.offload: new`), in the kernel
 * of this machine, against what the workers would have left. Needs root.
 */
import { expect, test } from "vitest";
import type { DropSettings } from "../../../src/kernel/bpf/bucket.js";
import { loadClassifier, MAP } from "../../../src/kernel/bpf/load.js";
import { PassingSet, passingBytes } from "../../../src/kernel/bpf/passing.js";
import { dropProgram, PASS } from "../../../src/kernel/bpf/program.js";
import { Field, Kind } from "../../../src/packet/dissect/packet.js";
import { type BpfProgram, native } from "../../../src/platform/native.js";
import { MarkField } from "../../../src/state/mark-field.js";
import {
  FRAMES,
  isLongEnough,
  REFUSED,
  randomPackets,
  SETTINGS,
  settings,
  type Trial,
  Workers,
} from "../../fixture/bucket-program.js";
import { rootOnly } from "../../fixture/netns.js";
import { FRAME_MAC, frameOf } from "../../fixture/random-frames.js";

const result = new Int32Array(3);

/** A program in front of the lower half of the buckets, and what it does with a packet. */
class Guard {
  private readonly set: PassingSet;
  private readonly maps;
  private readonly program: BpfProgram;

  constructor(each: DropSettings) {
    const bytes = passingBytes(each.buckets);
    this.maps = [
      new native.BpfMap(MAP.ARRAY, 4, bytes, 1, "set"),
      new native.BpfMap(MAP.PERCPU_ARRAY, 4, 8, 1, "drops"),
    ] as const;
    const [buckets, dropped] = this.maps;
    this.set = new PassingSet({ fd: buckets.fd, buckets: each.buckets });
    const half = Math.ceil(each.buckets / 2);
    const words = Int32Array.from({ length: Math.ceil(each.buckets / 32) }, (_, word) => {
      const ones = Math.min(32, Math.max(0, half - word * 32));
      return ones === 32 ? -1 : 2 ** ones - 1;
    });
    this.set.narrow(words);
    this.set.setActive(true);
    const maps = { buckets: buckets.fd, dropped: dropped.fd };
    this.program = loadClassifier("guard", dropProgram(each, FRAME_MAC, maps));
  }

  run(bytes: Uint8Array): readonly [verdict: number, mark: number] {
    this.program.run(frameOf(bytes), 1, result);
    return [result[0] as number, (result[2] as number) >>> 0];
  }

  pause(): void {
    this.set.setActive(false);
  }

  close(): void {
    for (const each of [this.set, this.program, ...this.maps]) each.close();
  }
}

rootOnly("the program names the bucket of what opens a flow", () => {
  const markMask = 0x1ffffc00;
  const field = new MarkField(markMask);

  test.each(SETTINGS)("$mode, seed $seed, $buckets buckets", (each) => {
    const guard = new Guard({ ...each, markMask });
    const workers = new Workers(each);
    let named = 0;
    for (const bytes of randomPackets(each, FRAMES / 4)) {
      if (!isLongEnough(bytes)) continue;
      const bucket = workers.bucketOf(bytes);
      const [verdict, mark] = guard.run(bytes);
      if (bucket === REFUSED) continue;
      if (mark === 0) continue;
      named += 1;
      expect(verdict).toBe(PASS);
      expect(workers.packet[Field.CLASS]).toBe(Kind.OPENS);
      expect(mark).toBe(field.encode(bucket));
      expect(bucket).toBeLessThan(Math.ceil(each.buckets / 2));
    }
    expect(named).toBeGreaterThan(FRAMES / 800);
    guard.close();
  });

  const SYN = 0x02;
  const tcp = (flags: number) => {
    const bytes = Buffer.alloc(40);
    bytes.set([0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 4, 0, 4, 1]);
    bytes.set([0x50, flags], 32);
    return bytes;
  };

  test("of a plain SYN, of nothing else of TCP, and of nothing while it is paused", () => {
    const seeds = [...Array(64).keys()].map((seed) => settings("tuple", seed, 256));
    const isInside = (each: Trial) => new Workers(each).bucketOf(tcp(SYN)) < 128;
    const each = seeds.find(isInside) as Trial;
    const guard = new Guard({ ...each, markMask });
    expect(guard.run(tcp(SYN))[1]).not.toBe(0);
    expect(guard.run(tcp(SYN | 0xc0))[1]).not.toBe(0);
    for (const flags of [0x10, 0x12, 0x03, 0x06, 0x18, 0]) {
      expect(guard.run(tcp(flags))).toEqual([PASS, 0]);
    }
    guard.pause();
    expect(guard.run(tcp(SYN))).toEqual([PASS, 0]);
    guard.close();
    const silent = new Guard(each);
    expect(silent.run(tcp(SYN))).toEqual([PASS, 0]);
    silent.close();
  });
});
