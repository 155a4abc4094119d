/**
 * Captures of other projects, many of them made to crash dissectors: nothing throws, nothing is
 * read outside of the packet, and what each file gives is written down in captures.expected.ts.
 */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { dissect } from "../../../src/packet/dissect/dissect.js";
import { Field, Kind, newPacket } from "../../../src/packet/dissect/packet.js";
import { BucketHash } from "../../../src/packet/flow/bucket.js";
import { addressText, expectTruncation, guarded, seen } from "../../fixture/dissected.js";
import { type Frame, networkOffset, readCapture, readHexFrame } from "../../fixture/pcap.js";
import { testdata, testdataFiles, testdataJson, withTestdata } from "../../fixture/testdata.js";
import { EXPECTED } from "./captures.expected.js";

const FUZZ = "pcapplusplus/fuzz-regression/";

function framesOf(name: string): Frame[] {
  const file = testdata(`pcap/${name}`);
  if (name.endsWith(".dat")) return [readHexFrame(Buffer.from(file).toString("latin1"))];
  return readCapture(file) ?? [];
}

/** The IP packets of a capture, as captured. */
function packetsOf(name: string): Uint8Array[] {
  return framesOf(name)
    .map((frame) => ({ frame, at: networkOffset(frame) }))
    .filter(({ frame, at }) => at >= 0 && at <= frame.bytes.length)
    .map(({ frame, at }) => frame.bytes.subarray(at));
}

/** `ok 5, malformed 1`: classes and reasons with their counts. */
function summary(name: string): string {
  const counts = new Map<string, number>();
  for (const bytes of packetsOf(name)) {
    const result = seen(bytes).split(" ").at(-1) as string;
    counts.set(result, (counts.get(result) ?? 0) + 1);
  }
  return [...counts]
    .map(([result, count]) => `${result} ${count}`)
    .sort()
    .join(", ");
}

withTestdata("captures", () => {
  const names = testdataFiles("pcap");

  test("every capture gives what is written down for it", () => {
    const found = names
      .filter((name) => !name.startsWith(FUZZ))
      .map((name) => [name, summary(name)]);
    expect(Object.fromEntries(found)).toEqual(EXPECTED);
  });

  test("no bytes at all, read as packets from anywhere, make it throw or read outside", () => {
    let dissected = 0;
    for (const name of names.filter((each) => each.startsWith(FUZZ))) {
      const file = testdata(`pcap/${name}`);
      for (let at = 0; at < file.length; at++) {
        expect(seen(file, at)).not.toContain("undefined");
        dissected++;
      }
    }
    expect(dissected).toBeGreaterThan(1000);
  });

  test("what surrounds a packet does not matter", () => {
    const [clean, dirty] = [newPacket(), newPacket()];
    for (const bytes of names.flatMap(packetsOf)) {
      const room = new Uint8Array(bytes.length + 64).fill(0xff);
      room.set(bytes, 32);
      const status = dissect(bytes, 0, bytes.length, clean.fill(0));
      expect(dissect(room, 32, 32 + bytes.length, dirty.fill(0))).toBe(status);
      if (status === 0) expect(dirty.subarray(0, 13)).toEqual(clean.subarray(0, 13));
    }
  });
});

interface CommunityRow {
  readonly proto: number;
  readonly saddr: string;
  readonly communityid: string;
}

/** Community ID version 1 with seed 0, of a dissected packet: the lower endpoint first. */
function communityId(packet: Int32Array, addressWords: number): string {
  const end = (word: number, port: number) => {
    const bytes = Buffer.alloc(addressWords * 4 + 2);
    for (let at = 0; at < addressWords; at++) bytes.writeInt32BE(packet[word + at]!, at * 4);
    bytes.writeUInt16BE(packet[port]!, addressWords * 4);
    return bytes;
  };
  const ends = [end(Field.SRC, Field.SRC_PORT), end(Field.DST, Field.DST_PORT)].sort(
    Buffer.compare,
  );
  const address = (bytes: Buffer) => bytes.subarray(0, -2);
  const port = (bytes: Buffer) => bytes.subarray(-2);
  const hash = createHash("sha1").update(Uint8Array.of(0, 0));
  for (const bytes of ends) hash.update(address(bytes));
  hash.update(Uint8Array.of(packet[Field.PROTOCOL]!, 0));
  for (const bytes of ends) hash.update(port(bytes));
  return `1:${hash.digest("base64")}`;
}

withTestdata("tuples against the Community ID baseline", () => {
  const PORTED = new Set([6, 17, 132]);
  const rows = testdataJson<CommunityRow[]>("community-id/baseline_deflt.json");
  const captures = testdataFiles("pcap").filter((name) => name.startsWith("community-id/"));

  test("protocols with ports give the published ids, one per connection", () => {
    const ids = new Set<string>();
    for (const bytes of captures.flatMap(packetsOf)) {
      const packet = newPacket();
      expect(dissect(bytes, 0, bytes.length, packet)).toBe(0);
      if (!PORTED.has(packet[Field.PROTOCOL]!) || packet[Field.CLASS] === Kind.QUOTES) continue;
      ids.add(communityId(packet, bytes[0]! >> 4 === 4 ? 1 : 4));
    }
    const published = rows.filter((row) => PORTED.has(row.proto)).map((row) => row.communityid);
    expect([...ids].sort()).toEqual([...new Set(published)].sort());
  });

  test("the two directions of every connection are one bucket", () => {
    const hasher = new BucketHash({ mode: "tuple", seed: 9, buckets: 65536 });
    const directions = new Map<string, Set<number>>();
    for (const bytes of captures.flatMap(packetsOf)) {
      const packet = newPacket();
      dissect(bytes, 0, bytes.length, packet);
      const ends = [`${addressText(packet, Field.SRC)} ${packet[Field.SRC_PORT]}`];
      ends.push(`${addressText(packet, Field.DST)} ${packet[Field.DST_PORT]}`);
      const key = `${packet[Field.PROTOCOL]} ${ends.sort().join(" ")}`;
      directions.set(key, (directions.get(key) ?? new Set()).add(hasher.hash(packet)));
    }
    expect(directions.size).toBeGreaterThan(10);
    expect([...directions.values()].every((hashes) => hashes.size === 1)).toBe(true);
  });
});

withTestdata("truncation of real packets", () => {
  test.each([
    ["community-id/tcp.pcap", 40],
    ["community-id/ipv6.pcap", 60],
    ["community-id/udp.pcap", 28],
    ["community-id/sctp.pcap", 36],
  ])("%s needs %i bytes", (name, needed) => {
    const bytes = packetsOf(name)[0] as Uint8Array;
    expectTruncation(bytes, needed);
    expect(() => guarded(bytes, 0, 4)[4]).toThrow("outside");
  });
});
