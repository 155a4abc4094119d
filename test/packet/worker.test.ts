/** The packet loop without a kernel: a capture that plays packets and keeps the verdicts. */
import { beforeEach, describe, expect, test } from "vitest";
import type { HashMode } from "../../src/config/types.js";
import { Batch } from "../../src/packet/batch.js";
import type { Capture } from "../../src/packet/capture/capture.js";
import { DST } from "../../src/packet/dissect/packet.js";
import { BucketHash } from "../../src/packet/flow/bucket.js";
import { FlowMirror } from "../../src/packet/flow/flow-mirror.js";
import { TranslatedPorts } from "../../src/packet/flow/translated-ports.js";
import { Worker, type WorkerParts } from "../../src/packet/worker.js";
import { bootMs } from "../../src/platform/clock.js";
import { DESCRIPTOR } from "../../src/platform/native.js";
import { publishBitmap } from "../../src/state/bucket-set.js";
import { EXTRA } from "../../src/state/counters.js";
import { allocateShared, SharedState } from "../../src/state/layout.js";
import { revokeLease, writeLease } from "../../src/state/lease-word.js";
import { MarkField } from "../../src/state/mark-field.js";
import { Mirror, mirrorBytes } from "../../src/state/mirror.js";
import { accepts, REASONS } from "../../src/state/reason.js";

const MASK = 0xffff0000;
const BUCKETS = 256;
const UNKNOWN = MASK | 0x2a;

/** 45 00 .. tcp/udp from 10.0.0.`a` to 10.0.1.`b`, port 1000 to 80 and back. */
function packet(protocol: "syn" | "ack" | "udp", from: number[], to: number[]): Buffer {
  const ports = from[2] === 0 ? [0x03, 0xe8, 0x00, 0x50] : [0x00, 0x50, 0x03, 0xe8];
  const rest =
    protocol === "udp" ? [0, 8, 0, 0] : [...Array(8).fill(0), 0x50, protocol === "syn" ? 2 : 16];
  const tail = protocol === "udp" ? [] : Array(6).fill(0);
  const length = 20 + ports.length + rest.length + tail.length;
  const number = protocol === "udp" ? 17 : 6;
  const header = [0x45, 0, 0, length, 0, 0, 0x40, 0, 64, number, 0, 0, ...from, ...to];
  return Buffer.from([...header, ...ports, ...rest, ...tail]);
}

/** Ports of three to a bucket; clients and the server do not meet it. */
const TRANSLATED = { address: "192.0.2.5", ports: [1000, 1000 + 3 * BUCKETS - 1] } as const;
const CLIENT = [10, 0, 0, 2];
const SERVER = [10, 0, 1, 2];

/** A reply from the server's port 80 to the port 1000 of the translated address: bucket 0. */
const TO_TRANSLATED = [192, 0, 2, 5];

class Played implements Capture {
  queue: { bytes: Buffer; mark: number }[] = [];
  settled: { verdict: number; mark: number }[] = [];
  beforeSettle = () => {};
  losses = { overruns: 1, verdictErrors: 2, unreadable: 3 };

  receive(batch: Batch): void {
    batch.count = this.queue.length;
    this.queue.splice(0).forEach(({ bytes, mark }, index) => {
      const at = index * batch.slotBytes;
      batch.bytes.set(bytes, at);
      const words = [index, 0x0800, mark, 1, at, bytes.length, bytes.length, 0];
      batch.descriptors.set(words, index * DESCRIPTOR.STRIDE);
    });
  }
  settle(batch: Batch): void {
    for (let i = 0; i < batch.count; i++) {
      this.settled.push({ verdict: batch.verdicts[i] as number, mark: batch.marks[i] as number });
    }
  }
  close(): void {}
}

describe("the packet loop", () => {
  let state: SharedState;
  let capture: Played;
  const all = new Int32Array(8).fill(-1);

  beforeEach(() => {
    state = new SharedState(allocateShared(BUCKETS, 1));
    capture = new Played();
    writeLease(state.words, state.leaseAt, bootMs() + 60_000);
  });

  function worker(mode: HashMode, pickup = false): Worker {
    const buffer = new SharedArrayBuffer(mirrorBytes(1, 64));
    const mirror = new Mirror({ buffer, at: 0, shards: 1, flows: 64, own: 0, idleMs: 60_000 });
    return new Worker({
      index: 0,
      state,
      capture,
      batch: new Batch(256),
      hash: new BucketHash({ mode, seed: 7, buckets: BUCKETS }),
      mark: new MarkField(MASK),
      pickup,
      mirror: mode === "tuple" ? null : new FlowMirror(mirror, 7),
      translated: new TranslatedPorts([TRANSLATED], BUCKETS),
    });
  }

  const play = (bytes: Buffer, mark = UNKNOWN) => capture.queue.push({ bytes, mark });
  const counted = () => {
    const counters = state.counters(0).read();
    const names = REASONS.map(({ name }, index) => [name, counters[index]] as const);
    return Object.fromEntries(names.filter(([, count]) => count !== 0));
  };
  const bucketIn = (mark: number) => (mark >>> 16) - 1;

  test("accepts what opens a flow in an own bucket and marks it with the bucket", () => {
    publishBitmap(state.owned, all);
    play(packet("syn", CLIENT, SERVER));
    worker("tuple").breathe();
    const [first] = capture.settled as [{ verdict: number; mark: number }];
    expect(first.verdict).toBe(1);
    expect(bucketIn(first.mark)).toBeGreaterThanOrEqual(0);
    expect(first.mark & 0xffff).toBe(0x2a);
    expect(counted()).toEqual({ "own-new": 1 });
  });

  test("decides a packet with a bucket in its mark by that bucket", () => {
    publishBitmap(state.owned, [1 << 9]);
    play(packet("ack", SERVER, CLIENT), (10 << 16) | 0x2a);
    play(packet("ack", SERVER, CLIENT), 11 << 16);
    worker("tuple").breathe();
    expect(capture.settled.map(({ verdict }) => verdict)).toEqual([1, 0]);
    expect(capture.settled[0]?.mark).toBe((10 << 16) | 0x2a);
    expect(counted()).toEqual({ "own-flow": 1, "foreign-flow": 1 });
  });

  test("counts every packet once: seen is the sum over the reasons", () => {
    publishBitmap(state.owned, all);
    const subject = worker("tuple");
    play(packet("syn", CLIENT, SERVER));
    play(packet("ack", CLIENT, SERVER));
    play(Buffer.from("4500", "hex"));
    play(packet("udp", CLIENT, SERVER), 0x2a);
    subject.breathe();
    publishBitmap(state.owned, []);
    play(packet("udp", CLIENT, SERVER));
    subject.breathe();
    const names = ["own-new", "no-state", "truncated", "not-cluster", "foreign-new"];
    expect(counted()).toEqual(Object.fromEntries(names.map((name) => [name, 1])));
    const counters = state.counters(0).read();
    const extras = [EXTRA.SEEN, EXTRA.BATCHES, EXTRA.OVERRUNS, EXTRA.VERDICT_ERRORS];
    expect(extras.map((index) => counters[index])).toEqual([5, 2, 1, 2]);
  });

  test("takes over a running connection only with pickup", () => {
    publishBitmap(state.owned, all);
    play(packet("ack", CLIENT, SERVER));
    worker("tuple", true).breathe();
    expect(counted()).toEqual({ "own-pickup": 1 });
  });

  test("without a lease drops whatever was queued", () => {
    publishBitmap(state.owned, all);
    revokeLease(state.words, state.leaseAt);
    play(packet("syn", CLIENT, SERVER));
    play(packet("ack", CLIENT, SERVER), 10 << 16);
    worker("tuple").breathe();
    expect(capture.settled.map(({ verdict }) => verdict)).toEqual([0, 0]);
    expect(counted()).toEqual({ "lease-expired": 2 });
  });

  test("a lease that ends while the batch is decided drops the batch", () => {
    publishBitmap(state.owned, all);
    const subject = worker("tuple");
    const receive = capture.receive.bind(capture);
    capture.receive = (batch) => {
      receive(batch);
      // The first look at the lease happens after this, the second one 30 ms later.
      writeLease(state.words, state.leaseAt, bootMs() + 10);
      const slow = batch.reasons;
      Object.defineProperty(batch, "reasons", {
        get() {
          for (const until = bootMs() + 1; bootMs() < until; );
          return slow;
        },
      });
    };
    for (let i = 0; i < 30; i++) play(packet("syn", CLIENT, SERVER));
    subject.breathe();
    expect(counted()).toEqual({ "lease-expired": 30 });
    expect(capture.settled.every(({ verdict }) => verdict === 0)).toBe(true);
  });

  test("mode source: a UDP reply belongs to whoever handles the request", () => {
    const hash = new BucketHash({ mode: "source", seed: 7, buckets: BUCKETS });
    expect(hash.symmetric).toBe(false);
    const subject = worker("source");
    publishBitmap(state.owned, all);
    play(packet("udp", CLIENT, SERVER));
    subject.breathe();
    const bucket = bucketIn(capture.settled[0]?.mark ?? 0);
    const others = all.slice();
    others[bucket >> 5] = ~(1 << (bucket & 31));
    publishBitmap(state.owned, others);
    play(packet("udp", CLIENT, SERVER));
    play(packet("udp", SERVER, CLIENT));
    subject.breathe();
    expect(counted()).toEqual({ "own-new": 1, "foreign-new": 1, "foreign-flow": 1 });
    publishBitmap(state.owned, all);
    play(packet("udp", SERVER, CLIENT));
    subject.breathe();
    expect(counted()["own-flow"]).toBe(1);
    expect(bucketIn(capture.settled.at(-1)?.mark ?? 0)).toBe(bucket);
  });

  describe.each<HashMode>(["tuple", "source", "xt-cluster"])("mode %s", (mode) => {
    test("a reply to a translated port belongs to the slice's bucket, a SYN does not", () => {
      publishBitmap(state.owned, [1]);
      play(packet("ack", SERVER, TO_TRANSLATED));
      play(packet("udp", SERVER, TO_TRANSLATED));
      play(packet("syn", SERVER, TO_TRANSLATED));
      worker(mode).breathe();
      expect(capture.settled.slice(0, 2).map(({ mark }) => bucketIn(mark))).toEqual([0, 0]);
      expect(bucketIn(capture.settled[2]?.mark ?? 0)).toBeGreaterThan(0);
      expect(counted()).toEqual({ "no-state": 1, "own-new": 1, "foreign-new": 1 });
    });

    test("an ICMP error about a translated packet belongs to the quoted port's bucket", () => {
      publishBitmap(state.owned, [1]);
      const quoted = packet("udp", TO_TRANSLATED, CLIENT);
      const head = packet("udp", SERVER, TO_TRANSLATED).subarray(0, 20);
      head.writeUInt16BE(28 + quoted.length, 2);
      head.writeUInt8(1, 9);
      quoted.writeUInt16BE(1001, 20);
      play(Buffer.concat([head, Buffer.from("0303000000000000", "hex"), quoted]));
      worker(mode, true).breathe();
      expect(bucketIn(capture.settled[0]?.mark ?? 0)).toBe(0);
      expect(counted()).toEqual({ "own-pickup": 1 });
    });
  });

  test.each<HashMode>(["tuple", "source"])("mode %s: a bug costs its packet alone", (mode) => {
    publishBitmap(state.owned, all);
    const subject = worker(mode);
    const { hash, mirror } = (subject as unknown as { parts: WorkerParts }).parts;
    const trip = (tuple: Int32Array) => {
      if (tuple[DST] === 0x0a000107) throw new TypeError("a bug that this packet meets");
    };
    const [whole, ask] = [hash.hash.bind(hash), mirror?.ask.bind(mirror)];
    hash.hash = (tuple) => trip(tuple) ?? whole(tuple);
    if (mirror) mirror.ask = (i, tuple) => trip(tuple) ?? ask?.(i, tuple);
    for (const last of [2, 7, 2]) play(packet("syn", CLIENT, [10, 0, 1, last]));
    subject.breathe();
    expect(counted()).toEqual({ "own-new": 2, fault: 1 });
    expect(capture.settled.map(({ verdict }) => verdict)).toEqual([1, 0, 1]);
  });

  test("the verdict sent is the one of the reason", () => {
    const accepted = REASONS.filter((_, index) => accepts(index)).map(({ name }) => name);
    expect(accepted.sort().join(" ")).toBe("own-early own-flow own-known own-new own-pickup");
  });
});
