import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseTuple } from "../../../src/cli/tuple.js";
import { newPacket } from "../../../src/packet/dissect/packet.js";
import { BucketHash } from "../../../src/packet/flow/bucket.js";
import { jhash1, jhash3, jhashWords } from "../../../src/packet/flow/jhash.js";
import { testdataJson, withTestdata } from "../../fixture/testdata.js";
import { countPerBucket, type End, setTuple } from "../../fixture/tuples.js";

const hashOf = (mode: "tuple" | "source" | "xt-cluster", text: string, seed = 5, buckets = 256) =>
  new BucketHash({ mode, seed, buckets }).hash(parseTuple(text).packet);

function packetOf(family: number, src: End, dst: End): Int32Array {
  const packet = newPacket();
  setTuple(packet, family, 6, src, dst);
  return packet;
}

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const port = fc.integer({ min: 0, max: 65535 });
const end4: fc.Arbitrary<End> = fc.record({ address: fc.tuple(word), port });
const end6: fc.Arbitrary<End> = fc.record({ address: fc.tuple(word, word, word, word), port });
const seed = fc.integer({ min: 0, max: 2 ** 32 - 1 });

describe("mode tuple", () => {
  test("hashes the sorted words, the lower address first", () => {
    const expected = jhash3(0x0a000001, 0xc0000201, (1234 << 16) | 80, 5 + 6);
    expect(hashOf("tuple", "tcp,10.0.0.1:1234,192.0.2.1:80")).toBe(expected);
    expect(hashOf("tuple", "tcp,192.0.2.1:80,10.0.0.1:1234")).toBe(expected);
  });

  test("IPv6 counts all nine words", () => {
    const words = Int32Array.of(0x20010db8, 0, 0, 1, 0x20010db8, 0, 0, 2, (53 << 16) | 4000);
    const expected = jhashWords(words, 9, 5 + 17);
    expect(hashOf("tuple", "udp,[2001:db8::1]:53,[2001:db8::2]:4000")).toBe(expected);
    expect(hashOf("tuple", "udp,[2001:db8::2]:4000,[2001:db8::1]:53")).toBe(expected);
  });

  test("both directions are one bucket, IPv4 and IPv6", () => {
    fc.assert(
      fc.property(fc.constantFrom(end4, end6), seed, fc.gen(), (end, start, gen) => {
        const hash = new BucketHash({ mode: "tuple", seed: start, buckets: 256 });
        const family = end === end4 ? 4 : 6;
        const [src, dst] = [gen(() => end), gen(() => end)];
        const there = hash.hash(packetOf(family, src, dst));
        return there === hash.hash(packetOf(family, dst, src));
      }),
    );
  });

  test("one address twice: the ports decide the order", () => {
    const there = hashOf("tuple", "tcp,10.0.0.1:9,10.0.0.1:7");
    expect(there).toBe(hashOf("tuple", "tcp,10.0.0.1:7,10.0.0.1:9"));
  });

  test("protocol, seed and each part of the tuple count", () => {
    const texts = [
      "tcp,10.0.0.1:1234,192.0.2.1:80",
      "udp,10.0.0.1:1234,192.0.2.1:80",
      "tcp,10.0.0.2:1234,192.0.2.1:80",
      "tcp,10.0.0.1:1235,192.0.2.1:80",
      "tcp,10.0.0.1:1234,192.0.2.2:80",
      "tcp,10.0.0.1:80,192.0.2.1:1234",
    ];
    const hashes = [...texts.map((text) => hashOf("tuple", text)), hashOf("tuple", texts[0]!, 6)];
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});

describe("mode source", () => {
  test("hashes the source address alone, all words of it", () => {
    expect(hashOf("source", "10.0.0.1")).toBe(jhash1(0x0a000001, 5));
    expect(hashOf("source", "tcp,10.0.0.1:1,192.0.2.1:2")).toBe(jhash1(0x0a000001, 5));
    const words = Int32Array.of(0x20010db8, 0, 0, 7);
    expect(hashOf("source", "2001:db8::7")).toBe(jhashWords(words, 4, 5));
  });
});

describe("mode xt-cluster", () => {
  test("IPv6 addresses of one /32 are one bucket, as in the kernel", () => {
    expect(hashOf("xt-cluster", "2001:db8::1")).toBe(hashOf("xt-cluster", "2001:db8:ffff::2"));
    expect(hashOf("source", "2001:db8::1")).not.toBe(hashOf("source", "2001:db8:ffff::2"));
  });
});

interface KernelRow {
  readonly src: string;
  readonly total_nodes: number;
  readonly seed: number;
  readonly node: number;
  readonly jhash: string;
}

withTestdata("mode xt-cluster against answers captured from a kernel", () => {
  test("all rows", () => {
    const { rows } = testdataJson<{ rows: KernelRow[] }>("vectors/xt_cluster_kernel.json");
    expect(rows).toHaveLength(160);
    for (const row of rows) {
      const settings = { seed: row.seed, buckets: row.total_nodes };
      const hasher = new BucketHash({ mode: "xt-cluster", ...settings });
      const hash = hasher.hash(parseTuple(row.src).packet);
      expect(hash).toBe(Number.parseInt(row.jhash, 16));
      expect(hasher.bucketOf(hash) + 1).toBe(row.node);
    }
  });
});

describe("bucketOf", () => {
  test("ranges of buckets are ranges of hash values, for any number of buckets", () => {
    const buckets = fc.integer({ min: 1, max: 65536 });
    fc.assert(
      fc.property(buckets, fc.integer({ min: 0, max: 2 ** 32 - 1 }), (count, hash32) => {
        const hash = new BucketHash({ mode: "tuple", seed: 0, buckets: count });
        const exact = Number((BigInt(hash32) * BigInt(count)) >> 32n);
        return hash.bucketOf(hash32) === exact;
      }),
    );
  });

  test("the ends", () => {
    const hash = new BucketHash({ mode: "tuple", seed: 0, buckets: 65536 });
    expect(hash.bucketOf(0)).toBe(0);
    expect(hash.bucketOf(0xffffffff)).toBe(65535);
  });
});

describe("balance", () => {
  /** Chi-squared of the counts per bucket; its mean is the number of buckets less one. */
  const chiSquared = (counts: number[], total: number) => {
    const mean = total / counts.length;
    return counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0);
  };

  test.each([1, 0xdeadbeef, 0xffffffff])(
    "ports of one client fill all buckets, seed %i",
    (start) => {
      const hash = new BucketHash({ mode: "tuple", seed: start, buckets: 256 });
      const to = { address: [0xc0000201], port: 80 };
      const counts = countPerBucket(hash, 256, 51_200, (packet, index) => {
        setTuple(packet, 4, 6, { address: [0x0a000001], port: 1024 + index }, to);
      });
      // 255 degrees of freedom: 99.99 % of random hashings stay below 347.
      expect(chiSquared(counts, 51_200)).toBeLessThan(347);
    },
  );
});
