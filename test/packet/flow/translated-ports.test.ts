import { describe, expect, test } from "vitest";
import { parseTuple } from "../../../src/cli/tuple.js";
import { Field, Kind, newPacket } from "../../../src/packet/dissect/packet.js";
import { TranslatedPorts } from "../../../src/packet/flow/translated-ports.js";
import { NO_SLICE } from "../../../src/state/port-slices.js";

/** Ten ports to a bucket, from 1000 on. */
const translated = new TranslatedPorts(
  [
    { address: "192.0.2.5", ports: [1000, 3559] },
    { address: "192.0.2.5", ports: [40_000, 42_559] },
    { address: "2001:db8:a:b::5", ports: [1000, 3559] },
    { address: "::ffff:192.0.2.6", ports: [1000, 3559] },
  ],
  256,
);

function bucketOf(kind: number, tuple: string): number {
  const { packet } = parseTuple(tuple);
  packet[Field.CLASS] = kind;
  return translated.bucketOf(packet);
}

describe("a packet of no flow that the kernel knows", () => {
  const cases: [what: string, kind: number, tuple: string, bucket: number][] = [
    ["a reply of TCP", Kind.FOLLOWS, "tcp,10.0.0.1:80,192.0.2.5:1000", 0],
    ["the last port of a slice", Kind.FOLLOWS, "tcp,10.0.0.1:80,192.0.2.5:1009", 0],
    ["the first of the next", Kind.FOLLOWS, "tcp,10.0.0.1:80,192.0.2.5:1010", 1],
    ["the last slice", Kind.FOLLOWS, "tcp,10.0.0.1:80,192.0.2.5:3559", 255],
    ["a port above", Kind.FOLLOWS, "tcp,10.0.0.1:80,192.0.2.5:3560", NO_SLICE],
    ["a second range of the address", Kind.FOLLOWS, "tcp,10.0.0.1:80,192.0.2.5:40020", 2],
    ["another address", Kind.FOLLOWS, "tcp,10.0.0.1:80,192.0.2.4:1000", NO_SLICE],
    ["the way out", Kind.FOLLOWS, "tcp,192.0.2.5:1010,10.0.0.1:80", NO_SLICE],
    ["a new inbound connection", Kind.OPENS, "tcp,10.0.0.1:80,192.0.2.5:1010", NO_SLICE],
    ["UDP, which may be a reply", Kind.OPENS, "udp,10.0.0.1:53,192.0.2.5:1010", 1],
    ["UDP-Lite", Kind.OPENS, "udplite,10.0.0.1:53,192.0.2.5:1010", 1],
    ["a new association of SCTP", Kind.OPENS, "sctp,10.0.0.1:80,192.0.2.5:1010", NO_SLICE],
    ["an echo reply, by its id", Kind.FOLLOWS, "icmp,10.0.0.1,192.0.2.5,1010", 1],
    ["an echo request from outside", Kind.OPENS, "icmp,10.0.0.1,192.0.2.5,1010", NO_SLICE],
    ["an error that quotes what we sent", Kind.QUOTES, "tcp,192.0.2.5:1020,10.0.0.1:80", 2],
    ["an error about an echo request", Kind.QUOTES, "icmp,192.0.2.5,10.0.0.1,1020", 2],
    ["an error about what came in", Kind.QUOTES, "tcp,10.0.0.1:80,192.0.2.5:1020", NO_SLICE],
    ["a protocol without ports", Kind.OPENS, "gre,10.0.0.1,192.0.2.5", NO_SLICE],
    ["IPv6, all four words", Kind.FOLLOWS, "tcp,[2001:db8::1]:80,[2001:db8:a:b::5]:1010", 1],
    [
      "another IPv6 address",
      Kind.FOLLOWS,
      "tcp,[2001:db8::1]:80,[2001:db8:a:b:1::5]:1010",
      NO_SLICE,
    ],
    ["an echo reply of IPv6", Kind.FOLLOWS, "icmpv6,2001:db8::1,2001:db8:a:b::5,1010", 1],
    ["dotted IPv6", Kind.FOLLOWS, "tcp,[2001:db8::1]:80,[::ffff:c000:206]:1010", 1],
  ];

  test.each(cases)("%s", (_, kind, tuple, bucket) => {
    expect(bucketOf(kind, tuple)).toBe(bucket);
  });
});

test("an address of another family with the same first words is not ours", () => {
  const none = new TranslatedPorts([{ address: "0.0.0.0", ports: [1000, 3559] }], 256);
  const { packet } = parseTuple("tcp,[2001:db8::1]:80,[::]:1010");
  packet[Field.CLASS] = Kind.FOLLOWS;
  expect(none.bucketOf(packet)).toBe(NO_SLICE);
});

test("without a translation nothing has a slice", () => {
  expect(new TranslatedPorts([], 256).bucketOf(newPacket())).toBe(NO_SLICE);
});
