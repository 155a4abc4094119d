/** The packet loop: which verdict a packet gets, and that each is counted once. */
import { beforeEach, describe, expect, test } from "vitest";
import type { HashMode } from "../../src/config/types.js";
import { Field } from "../../src/packet/dissect/packet.js";
import { BucketHash } from "../../src/packet/flow/bucket.js";
import type { WorkerParts } from "../../src/packet/worker.js";
import { publishBitmap } from "../../src/state/bucket-set.js";
import { EXTRA } from "../../src/state/counters.js";
import type { SharedState } from "../../src/state/layout.js";
import { accepts, REASONS } from "../../src/state/reason.js";
import { ALL, BUCKETS, bucketIn, CLIENT, Loop, packet, SERVER, TO_TRANSLATED } from "./loop.js";

describe("the packet loop", () => {
  let loop: Loop;
  let state: SharedState;
  let capture: Loop["capture"];
  beforeEach(() => {
    loop = new Loop();
    ({ state, capture } = loop);
  });

  test("accepts what opens a flow in an own bucket and marks it with the bucket", () => {
    publishBitmap(state.owned, ALL);
    loop.play(packet("syn", CLIENT, SERVER));
    loop.worker("tuple").breathe();
    const [first] = capture.settled as [{ verdict: number; mark: number }];
    expect(first.verdict).toBe(1);
    expect(bucketIn(first.mark)).toBeGreaterThanOrEqual(0);
    expect(first.mark & 0xffff).toBe(0x2a);
    expect(loop.counted()).toEqual({ "own-new": 1 });
  });

  test("decides a packet with a bucket in its mark by that bucket", () => {
    publishBitmap(state.owned, [1 << 9]);
    loop.play(packet("ack", SERVER, CLIENT), (10 << 16) | 0x2a);
    loop.play(packet("ack", SERVER, CLIENT), 11 << 16);
    loop.worker("tuple").breathe();
    expect(capture.settled.map(({ verdict }) => verdict)).toEqual([1, 0]);
    expect(capture.settled[0]?.mark).toBe((10 << 16) | 0x2a);
    expect(loop.counted()).toEqual({ "own-flow": 1, "foreign-flow": 1 });
  });

  test("counts every packet once: seen is the sum over the reasons", () => {
    publishBitmap(state.owned, ALL);
    const subject = loop.worker("tuple");
    loop.play(packet("syn", CLIENT, SERVER));
    loop.play(packet("ack", CLIENT, SERVER));
    loop.play(Buffer.from("4500", "hex"));
    loop.play(packet("udp", CLIENT, SERVER), 0x2a);
    subject.breathe();
    publishBitmap(state.owned, []);
    loop.play(packet("udp", CLIENT, SERVER));
    subject.breathe();
    const names = ["own-new", "no-state", "truncated", "not-cluster", "foreign-new"];
    expect(loop.counted()).toEqual(Object.fromEntries(names.map((name) => [name, 1])));
    const counters = state.counters(0).read();
    const extras = [EXTRA.SEEN, EXTRA.BATCHES, EXTRA.OVERRUNS, EXTRA.VERDICT_ERRORS];
    expect(extras.map((index) => counters[index])).toEqual([5, 2, 1, 2]);
  });

  test("takes over a running connection only with pickup", () => {
    publishBitmap(state.owned, ALL);
    loop.play(packet("ack", CLIENT, SERVER));
    loop.worker("tuple", true).breathe();
    expect(loop.counted()).toEqual({ "own-pickup": 1 });
  });

  test("mode source: a UDP reply belongs to whoever handles the request", () => {
    const hash = new BucketHash({ mode: "source", seed: 7, buckets: BUCKETS });
    expect(hash.symmetric).toBe(false);
    const subject = loop.worker("source");
    publishBitmap(state.owned, ALL);
    loop.play(packet("udp", CLIENT, SERVER));
    subject.breathe();
    const bucket = bucketIn(capture.settled[0]?.mark ?? 0);
    const others = ALL.slice();
    others[bucket >> 5] = ~(1 << (bucket & 31));
    publishBitmap(state.owned, others);
    loop.play(packet("udp", CLIENT, SERVER));
    loop.play(packet("udp", SERVER, CLIENT));
    subject.breathe();
    expect(loop.counted()).toEqual({ "own-new": 1, "foreign-new": 1, "foreign-flow": 1 });
    publishBitmap(state.owned, ALL);
    loop.play(packet("udp", SERVER, CLIENT));
    subject.breathe();
    expect(loop.counted()["own-flow"]).toBe(1);
    expect(bucketIn(capture.settled.at(-1)?.mark ?? 0)).toBe(bucket);
  });

  describe.each<HashMode>(["tuple", "source", "xt-cluster"])("mode %s", (mode) => {
    test("a reply to a translated port belongs to the slice's bucket, a SYN does not", () => {
      publishBitmap(state.owned, [1]);
      loop.play(packet("ack", SERVER, TO_TRANSLATED));
      loop.play(packet("udp", SERVER, TO_TRANSLATED));
      loop.play(packet("syn", SERVER, TO_TRANSLATED));
      loop.worker(mode).breathe();
      expect(capture.settled.slice(0, 2).map(({ mark }) => bucketIn(mark))).toEqual([0, 0]);
      expect(bucketIn(capture.settled[2]?.mark ?? 0)).toBeGreaterThan(0);
      expect(loop.counted()).toEqual({ "no-state": 1, "own-new": 1, "foreign-new": 1 });
    });

    test("an ICMP error about a translated packet belongs to the quoted port's bucket", () => {
      publishBitmap(state.owned, [1]);
      const quoted = packet("udp", TO_TRANSLATED, CLIENT);
      const head = packet("udp", SERVER, TO_TRANSLATED).subarray(0, 20);
      head.writeUInt16BE(28 + quoted.length, 2);
      head.writeUInt8(1, 9);
      quoted.writeUInt16BE(1001, 20);
      loop.play(Buffer.concat([head, Buffer.from("0303000000000000", "hex"), quoted]));
      loop.worker(mode, true).breathe();
      expect(bucketIn(capture.settled[0]?.mark ?? 0)).toBe(0);
      expect(loop.counted()).toEqual({ "own-pickup": 1 });
    });
  });

  test.each<HashMode>(["tuple", "source"])("mode %s: a bug costs its packet alone", (mode) => {
    publishBitmap(state.owned, ALL);
    const subject = loop.worker(mode);
    const { hash, mirror } = (subject as unknown as { parts: WorkerParts }).parts;
    const trip = (tuple: Int32Array) => {
      if (tuple[Field.DST] === 0x0a000107) throw new TypeError("a bug that this packet meets");
    };
    const [whole, ask] = [hash.hash.bind(hash), mirror?.ask.bind(mirror)];
    hash.hash = (tuple) => trip(tuple) ?? whole(tuple);
    if (mirror) mirror.ask = (i, tuple) => trip(tuple) ?? ask?.(i, tuple);
    for (const last of [2, 7, 2]) loop.play(packet("syn", CLIENT, [10, 0, 1, last]));
    subject.breathe();
    expect(loop.counted()).toEqual({ "own-new": 2, fault: 1 });
    expect(capture.settled.map(({ verdict }) => verdict)).toEqual([1, 0, 1]);
  });

  test("the verdict sent is the one of the reason", () => {
    const accepted = REASONS.filter((_, index) => accepts(index)).map(({ name }) => name);
    expect(accepted.sort().join(" ")).toBe("own-early own-flow own-known own-new own-pickup");
  });
});
