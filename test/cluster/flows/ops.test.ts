/** What is in a DATA payload, byte by byte. */
import { describe, expect, test } from "vitest";
import { encodeOp, type Op, readOps } from "../../../src/cluster/flows/ops.js";
import { pack, saysTheSame, timeoutClassOf, unpack } from "../../../src/cluster/flows/packed.js";
import { Packer } from "../../../src/cluster/flows/packer.js";
import {
  type Expectation,
  type Flow,
  inverse,
  type Replicated,
  timeoutClass,
  timeoutSeconds,
} from "../../../src/cluster/flows/record.js";
import {
  identityOf as identityOfKey,
  keyOf,
  recordBytes,
} from "../../../src/cluster/flows/record-wire.js";
import { BODY_BYTES } from "../../../src/cluster/limits.js";
import { flow } from "./flows.js";

const BUCKETS = 256;
const VERSION = { term: 7, writer: 3, sequence: 2 ** 32 + 5 };
const VERSION_BYTES = [0, 0, 0, 7, 3, 0, 1, 0, 0, 0, 5];

const PLAIN = flow(5, 9);
const PLAIN_BYTES = [
  ...[0, 6, 0, 9], // flags, protocol, bucket
  ...[10, 0, 0, 5, 192, 0, 2, 1, 0x04, 0x05, 0x01, 0xbb], // original
  ...[0, 2, 75, 0, 0x0e], // parts, state, time-out, status
];

const IPV6 = (last: number) => Uint8Array.from([0x20, 1, 0x0d, 0xb8, ...Array(11).fill(0), last]);
const FULL: Flow = {
  ...flow(1, 255),
  protocol: 17,
  zone: 4,
  original: { src: IPV6(1), dst: IPV6(2), srcPort: 1, dstPort: 2 },
  reply: { src: IPV6(2), dst: IPV6(3), srcPort: 2, dstPort: 9 },
  state: "none",
  mark: 0x1234,
  helper: "ftp",
  master: { protocol: 6, src: IPV6(4), dst: IPV6(5), srcPort: 3, dstPort: 4 },
  shifts: [1, 2, 3, 4, 5, 0xffffffff],
  vtags: [6, 0xfffffffe],
};
const EXPECTED: Expectation = {
  kind: "expectation",
  protocol: 6,
  bucket: 3,
  zone: 0,
  timeoutClass: 33,
  helper: "ftp",
  original: { ...PLAIN.original, srcPort: 0 },
  mask: {
    src: Uint8Array.from([255, 255, 255, 255]),
    dst: Uint8Array.from([255, 255, 255, 255]),
    srcPort: 0,
    dstPort: 0xffff,
  },
  master: { protocol: 6, ...PLAIN.original },
  flags: 2,
  class: 1,
  fn: "nat-follow-master",
  nat: { direction: 1, ...inverse(PLAIN.original) },
};

const CASES: [string, Op, number[] | null][] = [
  [
    "PUT of a plain flow",
    { op: "put", version: VERSION, record: PLAIN },
    [1, ...VERSION_BYTES, ...PLAIN_BYTES],
  ],
  ["PUT of a flow with all parts", { op: "put", version: VERSION, record: FULL }, null],
  ["PUT of an expectation", { op: "put", version: VERSION, record: EXPECTED }, null],
  [
    "REMOVE",
    { op: "remove", version: VERSION, identity: identityOf(PLAIN) },
    [2, ...VERSION_BYTES, ...PLAIN_BYTES.slice(0, 16)],
  ],
  [
    "DIGEST",
    { op: "digest", bucket: 8, term: 7, digest: { flows: 258, sums: [0xffffffff, 3] } },
    [3, 0, 8, 0, 0, 0, 7, 0, 0, 1, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 3],
  ],
  ["SECTION", { op: "section", bucket: 8, term: 7 }, [4, 0, 8, 0, 0, 0, 7]],
  ["END", { op: "end", bucket: 8, isWhole: true }, [5, 0, 8, 1]],
  ["END, broken off", { op: "end", bucket: 8, isWhole: false }, [5, 0, 8, 0]],
  ["TABLE", { op: "table", start: 0xfffffffe, flows: 3 }, [6, 255, 255, 255, 254, 0, 0, 0, 3]],
  ["DONE", { op: "done", start: 0xfffffffe }, [7, 255, 255, 255, 254]],
  ["CLAIM", { op: "claim", bucket: 8, term: 7, node: 2 }, [8, 0, 8, 0, 0, 0, 7, 2]],
];

function identityOf({ kind, protocol, bucket, original, zone }: Replicated) {
  return { kind, protocol, bucket, original, zone };
}

describe("ops", () => {
  test.each(CASES)("%s: bytes, both ways", (_name, op, bytes) => {
    const encoded = encodeOp(op);
    if (bytes) expect([...encoded]).toEqual(bytes);
    expect(readOps(encoded, BUCKETS)).toEqual([op]);
  });

  test.each(CASES)("%s: every truncation is refused", (_name, op) => {
    const encoded = encodeOp(op);
    for (let length = 1; length < encoded.length; length++) {
      expect([length, readOps(encoded.subarray(0, length), BUCKETS)]).toEqual([length, null]);
    }
  });

  test("a payload is a row of ops, and one broken op spoils it", () => {
    const all = CASES.map(([, op]) => op);
    const bytes = Uint8Array.from(all.flatMap((op) => [...encodeOp(op)]));
    expect(readOps(bytes, BUCKETS)).toEqual(all);
    expect(readOps(Uint8Array.from([...bytes, 99]), BUCKETS)).toBeNull();
  });

  const wrong: [string, number, number][] = [
    ["an unknown code", 0, 9],
    ["an unknown flag", 12, 8],
    ["a bucket beyond the last", 14, 1],
    ["an unknown part", 28, 32],
    ["an unknown state", 29, 5],
  ];
  test.each(wrong)("%s is refused", (_name, at, value) => {
    const bytes = encodeOp({ op: "put", version: VERSION, record: PLAIN });
    bytes[at] = value;
    expect(readOps(bytes, BUCKETS)).toBeNull();
  });

  test("a helper's name that is too long or not printable is refused", () => {
    const named = (helper: string) =>
      readOps(encodeOp({ op: "put", version: VERSION, record: { ...PLAIN, helper } }), BUCKETS);
    expect(named("a".repeat(16))).not.toBeNull();
    expect(named("a".repeat(17))).toBeNull();
    expect(named("a\nb")).toBeNull();
  });

  test("whatever the bytes, reading never throws", () => {
    const bytes = encodeOp({ op: "put", version: VERSION, record: FULL });
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0, 1, 127, 255]) {
        const changed = bytes.slice();
        changed[at] = value;
        expect(() => readOps(changed, BUCKETS)).not.toThrow();
      }
    }
  });
});

describe("records", () => {
  test("a plain IPv4 flow takes 21 bytes, a translated one 33, their PUTs 12 more", () => {
    const translated = { ...PLAIN, reply: { ...PLAIN.reply, dstPort: 9 } };
    expect(recordBytes(PLAIN).length).toBe(21);
    expect(recordBytes(translated).length).toBe(33);
    expect(encodeOp({ op: "put", version: VERSION, record: translated }).length).toBe(45);
  });

  test("the key is the identity without the bucket", () => {
    expect(keyOf({ ...PLAIN, bucket: 1 })).toBe(keyOf(PLAIN));
    expect(keyOf({ ...PLAIN, zone: 1 })).not.toBe(keyOf(PLAIN));
    expect(keyOf({ ...PLAIN, protocol: 17 })).not.toBe(keyOf(PLAIN));
    expect(keyOf(flow(6, 9))).not.toBe(keyOf(PLAIN));
  });

  test("what is packed is the record, and a key is the identity", () => {
    for (const record of [PLAIN, FULL, EXPECTED]) {
      expect(unpack(pack(record))).toEqual(record);
      expect(timeoutClassOf(pack(record))).toBe(record.timeoutClass);
      expect(identityOfKey(keyOf(record), record.bucket)).toEqual(identityOf(record));
      const ops = [
        { op: "packed", packed: pack(record) },
        { op: "put", record },
      ] as const;
      const [packed, plain] = ops.map((op) => encodeOp({ ...op, version: VERSION }));
      expect(packed).toEqual(plain);
    }
  });

  test("time-outs do not make a difference, everything else does", () => {
    for (const record of [PLAIN, FULL, EXPECTED]) {
      const isSame = (own: object) => saysTheSame(pack(record), pack({ ...record, ...own }));
      expect(isSame({ timeoutClass: 3 })).toBe(true);
      expect(isSame({ protocol: 99 })).toBe(false);
      expect(isSame({ bucket: 8 })).toBe(false);
    }
    expect(saysTheSame(pack(PLAIN), pack({ ...PLAIN, mark: 3 }))).toBe(false);
    expect(saysTheSame(pack(PLAIN), pack({ ...PLAIN, status: 0 }))).toBe(false);
  });

  test("a class of time-outs is never too short, and at most 20 % too long", () => {
    for (const seconds of [0, 1, 5, 10, 30, 60, 120, 300, 3600, 432_000]) {
      const rounded = timeoutSeconds(timeoutClass(seconds));
      expect(rounded).toBeGreaterThanOrEqual(seconds);
      expect(rounded).toBeLessThanOrEqual(seconds * 1.2 + 1);
    }
  });
});

test("frames are filled to the limit of a datagram, and none is longer", () => {
  const payloads: Uint8Array[] = [];
  const packer = new Packer(BODY_BYTES, (payload) => payloads.push(payload));
  for (let index = 0; index < 190; index++) {
    packer.add({ op: "put", version: VERSION, record: flow(index, 1) });
  }
  packer.flush();
  const opBytes = 33;
  const perFrame = Math.floor((BODY_BYTES - 8) / opBytes);
  expect(payloads.map(({ length }) => length / opBytes)).toEqual([
    ...Array(Math.floor(190 / perFrame)).fill(perFrame),
    190 % perFrame,
  ]);
  expect(payloads.flatMap((payload) => readOps(payload, BUCKETS)).length).toBe(190);
});
