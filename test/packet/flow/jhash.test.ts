import { describe, expect, test } from "vitest";
import { jhash1, jhash3, jhashWords } from "../../../src/packet/flow/jhash.js";
import { testdataJson, withTestdata } from "../../fixture/testdata.js";

interface Vector {
  readonly key_hex: string;
  readonly initval: number;
  readonly jhash: string;
}

/** Words as the kernel loads them on a little-endian machine. */
function wordsOf(key: Buffer): Int32Array {
  return Int32Array.from({ length: key.length / 4 }, (_, at) => key.readInt32LE(at * 4));
}

withTestdata("lookup3 vectors of DPDK", () => {
  test("all keys that are whole words, 4 to 64 bytes", () => {
    const vectors = testdataJson<{ dpdk: Vector[] }>("vectors/jhash_lookup3.json")
      .dpdk.map((row) => ({ ...row, key: Buffer.from(row.key_hex, "hex") }))
      .filter(({ key }) => key.length % 4 === 0);
    expect(vectors.length).toBeGreaterThan(12);
    for (const { key, initval, jhash } of vectors) {
      const hash = jhashWords(wordsOf(key), key.length / 4, initval);
      expect(`${key.length}: ${hash.toString(16)}`).toBe(
        `${key.length}: ${Number.parseInt(jhash, 16).toString(16)}`,
      );
    }
  });
});

describe("short forms", () => {
  const words = Int32Array.of(0x0a000001, -2, 0x50);

  test("equal the general one", () => {
    expect(jhash1(words[0]!, 0xdeadbeef)).toBe(jhashWords(words, 1, 0xdeadbeef));
    expect(jhash3(words[0]!, words[1]!, words[2]!, 7)).toBe(jhashWords(words, 3, 7));
  });

  test("words and start values may be signed or unsigned", () => {
    expect(jhash1(0xfffffffe, 0xffffffff)).toBe(jhash1(-2, -1));
    expect(jhash3(-1, -2, -3, 0)).toBe(jhash3(0xffffffff, 0xfffffffe, 0xfffffffd, 0));
  });

  test("a known value: 00010203 with start value 0", () => {
    expect(jhash1(0x03020100, 0)).toBe(0xe4cf1d42);
  });
});
