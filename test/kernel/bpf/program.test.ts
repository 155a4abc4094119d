/**
 * The program against the dissector and the hash of the workers, in the kernel of this machine:
 * BPF_PROG_TEST_RUN gives a frame to the loaded program. Needs root.
 */
import { expect, test } from "vitest";
import { addressBytes } from "../../../src/config/address.js";
import type { HashMode } from "../../../src/config/types.js";
import { Assembler, R0, R9, SIZE } from "../../../src/kernel/bpf/assembler.js";
import { loadClassifier } from "../../../src/kernel/bpf/load.js";
import { bucketProgram, type DropSettings, PASS } from "../../../src/kernel/bpf/program.js";
import { OK } from "../../../src/packet/dissect/bytes.js";
import { dissect } from "../../../src/packet/dissect/dissect.js";
import { CLASS, newPacket, OPENS, PROTOCOL, QUOTES } from "../../../src/packet/dissect/packet.js";
import { BucketHash } from "../../../src/packet/flow/bucket.js";
import {
  type TranslatedAddress,
  TranslatedPorts,
} from "../../../src/packet/flow/translated-ports.js";
import type { BpfProgram } from "../../../src/platform/native.js";
import { NO_SLICE, PortSlices } from "../../../src/state/port-slices.js";
import { isRoot, rootOnly } from "../../fixture/netns.js";
import { networkOffset, readCapture, readHexFrame } from "../../fixture/pcap.js";
import { FRAME_MAC, frameOf, Numbers, randomPacket } from "../../fixture/random-frames.js";
import { testdata, testdataFiles, withTestdata } from "../../fixture/testdata.js";

/** Random frames for each of the settings below: 400,000 in all. */
const FRAMES = 40_000;
const UDP = 17;
const UDP_LITE = 136;
const NAT4 = "192.168.1.5";
const NAT6 = "2001:db8:1::5";

interface Trial extends DropSettings {
  readonly translated: readonly TranslatedAddress[];
}

function settings(
  mode: HashMode,
  seed: number,
  buckets: number,
  translated: readonly TranslatedAddress[] = [],
): Trial {
  const sliced = translated.map(({ address, ports }) => ({
    address: addressBytes(address),
    first: ports[0],
    width: new PortSlices(ports, buckets).width,
  }));
  return { mode, seed, buckets, sliced, translated };
}

const SETTINGS: readonly Trial[] = [
  settings("tuple", 0xdeadbeef, 256),
  settings("tuple", 0, 65536),
  settings("tuple", 0xffffffff, 2),
  settings("tuple", 0x7fffffff, 32),
  settings("tuple", 7, 1024, [
    { address: NAT4, ports: [1024, 60_000] },
    { address: NAT6, ports: [1, 1500] },
    { address: NAT4, ports: [61_000, 65_535] },
  ]),
  settings("source", 0xdeadbeef, 256),
  settings("source", 3, 65536),
  settings("xt-cluster", 0xdeadbeef, 32),
  settings("xt-cluster", 1, 3),
  settings("xt-cluster", 0, 1),
];

/** The workers drop it, whoever owns what. */
const REFUSED = -2;

/**
 * What the workers would say: the bucket, `PASS` where a packet's own headers do not name it, or
 * `REFUSED`.
 */
class Workers {
  private readonly hash: BucketHash;
  private readonly ports: TranslatedPorts;
  private readonly packet = newPacket();

  constructor(private readonly settings: Trial) {
    this.hash = new BucketHash(settings);
    this.ports = new TranslatedPorts(settings.translated, settings.buckets);
  }

  bucketOf(bytes: Uint8Array): number {
    const { packet, settings } = this;
    if (dissect(bytes, 0, bytes.length, packet) !== OK) return REFUSED;
    if (packet[CLASS] === QUOTES) return PASS;
    const isUdp = packet[PROTOCOL] === UDP || packet[PROTOCOL] === UDP_LITE;
    const isCertain = packet[CLASS] === OPENS && !isUdp;
    if (settings.mode !== "tuple" && !isCertain) return PASS;
    const named = this.ports.bucketOf(packet);
    if (named !== NO_SLICE) return named;
    return this.hash.bucketOf(this.hash.hash(packet));
  }
}

const result = new Int32Array(2);
function run(program: BpfProgram, frame: Uint8Array): number {
  program.run(frame, 1, result);
  return result[0] as number;
}

/** The kernel's test run takes no frame whose IP header is not whole. */
const isLongEnough = (bytes: Uint8Array) => bytes.length >= ((bytes[0] ?? 0) >> 4 === 6 ? 40 : 20);

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
    const numbers = new Numbers(each.seed ^ each.buckets ^ 0x5bd1e995);
    const packets = function* () {
      for (let count = 0; count < FRAMES; count++) {
        yield randomPacket(numbers, addressBytes(numbers.pick([NAT4, NAT6])));
      }
    };
    const { wrong, judged, hashable } = compared(each, packets());
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
