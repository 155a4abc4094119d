/** Community IDs against the baseline of the specification. */
import { expect, test } from "vitest";
import { addressBytes } from "../../../src/config/address.js";
import { communityId } from "../../../src/kernel/conntrack/community-id.js";
import { newTuple, type Tuple } from "../../../src/kernel/conntrack/record.js";
import { testdataJson, withTestdata } from "../../fixture/testdata.js";

interface Row {
  readonly proto: number;
  readonly saddr: string;
  readonly daddr: string;
  /** Port, or ICMP type; null for protocols without. */
  readonly sport: number | null;
  /** Port, or what answers the ICMP type, or its code. */
  readonly dport: number | null;
  readonly communityid: string;
}

function tupleOf({ proto, saddr, daddr, sport, dport }: Row): Tuple {
  const tuple = newTuple();
  tuple.src.set(addressBytes(saddr));
  tuple.dst.set(addressBytes(daddr));
  const from = sport ?? 0;
  const to = dport ?? 0;
  const isIcmp = proto === 1 || proto === 58;
  const ends = isIcmp ? { icmpType: from, icmpCode: to } : { srcPort: from, dstPort: to };
  return Object.assign(tuple, { family: saddr.includes(":") ? 6 : 4, protocol: proto, ...ends });
}

test("a TCP flow has one id in both directions", () => {
  const there = { proto: 6, saddr: "10.0.0.1", daddr: "10.0.0.2", sport: 1000, dport: 80 };
  const back = { proto: 6, saddr: "10.0.0.2", daddr: "10.0.0.1", sport: 80, dport: 1000 };
  const id = communityId(tupleOf({ ...there, communityid: "" }));
  expect(communityId(tupleOf({ ...back, communityid: "" }))).toBe(id);
  expect(communityId(tupleOf({ ...there, dport: 81, communityid: "" }))).not.toBe(id);
});

withTestdata("the baseline", () => {
  test("TCP, UDP, SCTP, ICMP, ICMPv6 and RSVP", () => {
    const rows = testdataJson<Row[]>("community-id/baseline_deflt.json");
    expect(rows.length).toBeGreaterThan(20);
    const ids = rows.map((row) => communityId(tupleOf(row)));
    expect(ids).toEqual(rows.map((row) => row.communityid));
  });
});
