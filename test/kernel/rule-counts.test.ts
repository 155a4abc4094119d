/** The counters of our rules, as the kernel tells them. */
import { describe, expect, test } from "vitest";
import { eachMessage, NetlinkWriter } from "../../src/kernel/netlink.js";
import { NEWOBJ, writeDumpCounters } from "../../src/kernel/nftables.js";
import { addCount, noRuleCounts } from "../../src/kernel/rule-counts.js";
import { fixture, Namespace, rootOnly } from "../fixture/netns.js";

/** A message of a dump: table, name, type, data with bytes and packets. */
function counter(writer: NetlinkWriter, name: string, packets: number, type = NEWOBJ): void {
  writer.begin(type, 0, Uint8Array.of(2, 0, 0, 0));
  writer.string(1, "shardwall_a");
  writer.string(2, name);
  writer.u32(3, 1);
  writer.nest(4, () => {
    writer.u64(1, 1_000_000);
    writer.u64(2, packets);
  });
}

function countsOf(writer: NetlinkWriter, length = writer.length) {
  const counts = noRuleCounts();
  eachMessage(writer.bytes, length, (message) => void addCount(counts, writer.bytes, message));
  return counts;
}

test("the request: counters, by table, of any family", () => {
  const writer = new NetlinkWriter(64);
  writeDumpCounters(writer, "abc");
  expect(writer.bytes.subarray(0, writer.length).toString("hex")).toBe(
    `24000000130a010301000000${"00000000"}00000000` + "0800010061626300" + "0800030000000001",
  );
});

describe("the answer", () => {
  test("both families of a counter are added, others are left out", () => {
    const writer = new NetlinkWriter(1024);
    counter(writer, "invalid", 5);
    counter(writer, "invalid", 2 ** 40);
    counter(writer, "foreign_flow", 2);
    counter(writer, "somebody_elses", 100);
    counter(writer, "no_port", 100, NEWOBJ + 1);
    const expected = { ...noRuleCounts(), invalid: 2 ** 40 + 5, foreign_flow: 2 };
    expect(countsOf(writer)).toEqual(expected);
  });

  test("cut short at any byte it counts what is whole, and nothing throws", () => {
    const writer = new NetlinkWriter(256);
    counter(writer, "invalid", 5);
    for (let length = 0; length < writer.length; length++) {
      expect(countsOf(writer, length)).toEqual(noRuleCounts());
    }
    expect(countsOf(writer).invalid).toBe(5);
  });

  test("attributes that lie about their length are not believed", () => {
    const writer = new NetlinkWriter(256);
    counter(writer, "invalid", 5);
    const lengthOfName = 16 + 4 + 16;
    writer.bytes.writeUInt16LE(500, lengthOfName);
    expect(countsOf(writer)).toEqual(noRuleCounts());
  });
});

const TABLES = `table ip shardwall_test {
  counter invalid { packets 5 bytes 300 }
  counter known_flow { packets 4294967297 bytes 9 }
}
table ip6 shardwall_test { counter invalid { packets 6 bytes 360 } }
table ip shardwall_other { counter invalid { packets 100 bytes 1 } }
`.replaceAll("} }", "}\n}");

rootOnly("the kernel's own answer", () => {
  test("has what our table counted, and nobody else's", async () => {
    const ns = new Namespace();
    try {
      const read = () => JSON.parse(ns.exec("node", [fixture("rule-counts.mjs")]));
      expect(read()).toBeNull(); // the rules are not there
      ns.exec("nft", ["-f", "-"], TABLES);
      expect(read()).toEqual({ ...noRuleCounts(), invalid: 11, known_flow: 2 ** 32 + 1 });
    } finally {
      await ns.close();
    }
  });
});
