import { describe, expect, test } from "vitest";
import { CliError } from "../../src/cli/error.js";
import { ipv6Words, parseTuple } from "../../src/cli/tuple.js";
import { tupleText } from "../fixture/dissected.js";

/** Without the class, which text does not have. */
const parsed = (text: string) => tupleText(parseTuple(text).packet).replace(/ undefined$| $/, "");

describe("tuples", () => {
  test.each([
    ["tcp,10.0.0.1:1234,192.0.2.1:80", "6 10.0.0.1 1234 > 192.0.2.1 80"],
    [" UDP, 10.0.0.1:0 ,192.0.2.1:65535 ", "17 10.0.0.1 0 > 192.0.2.1 65535"],
    ["sctp,[2001:db8::1]:7,[2001:db8::2]:9", "132 20010db8-0-0-1 7 > 20010db8-0-0-2 9"],
    ["icmp,10.0.0.1,10.0.0.2,77", "1 10.0.0.1 77 > 10.0.0.2 77"],
    ["icmpv6,[2001:db8::1],[2001:db8::2],77", "58 20010db8-0-0-1 77 > 20010db8-0-0-2 77"],
    ["gre,10.0.0.1,10.0.0.2", "47 10.0.0.1 0 > 10.0.0.2 0"],
    ["gre,2001:db8::1,2001:db8::2", "47 20010db8-0-0-1 0 > 20010db8-0-0-2 0"],
    ["253,10.0.0.1,10.0.0.2", "253 10.0.0.1 0 > 10.0.0.2 0"],
    ["tcp src=10.0.0.1 dst=192.0.2.1 sport=1234 dport=80", "6 10.0.0.1 1234 > 192.0.2.1 80"],
    [
      "tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=192.0.2.1 sport=1234 dport=80 " +
        "src=192.0.2.1 dst=10.0.0.1 sport=80 dport=1234 [ASSURED] mark=0 use=1",
      "6 10.0.0.1 1234 > 192.0.2.1 80",
    ],
    ["icmp 1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=9", "1 10.0.0.1 9 > 10.0.0.2 9"],
    ["ipv4 2 udp 17 3 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2", "17 10.0.0.1 1 > 10.0.0.2 2"],
  ])("%s", (text, expected) => expect(parsed(text)).toBe(expected));

  test("an address alone is no tuple", () => {
    expect(parseTuple("10.0.0.1").isTuple).toBe(false);
    expect(parseTuple("2001:db8::1").isTuple).toBe(false);
    expect(parseTuple("tcp,10.0.0.1:1,10.0.0.2:2").isTuple).toBe(true);
  });
});

describe("IPv6 text", () => {
  test.each([
    ["::", [0, 0, 0, 0]],
    ["::1", [0, 0, 0, 1]],
    ["2001:db8::", [0x20010db8, 0, 0, 0]],
    ["1:2:3:4:5:6:7:8", [0x10002, 0x30004, 0x50006, 0x70008]],
    ["1::8", [0x10000, 0, 0, 8]],
    ["::ffff:192.0.2.1", [0, 0, 0xffff, 0xc0000201]],
    ["fe80::ABCD:1", [0xfe800000, 0, 0, 0xabcd0001]],
  ])("%s", (text, words) => {
    expect(ipv6Words(text).map((word) => word >>> 0)).toEqual(words);
  });
});

describe("bad input names the fault and ends with exit code 2", () => {
  test.each([
    ["", "neither an address nor a tuple"],
    ["10.0.0.256", "neither an address nor a tuple"],
    ["tcp", "neither an address nor a tuple"],
    ["tcp,10.0.0.1:1,10.0.0.2:2,3,4", "neither an address nor a tuple"],
    ["tpc,10.0.0.1:1,10.0.0.2:2", "no protocol 'tpc'; allowed: icmp, tcp"],
    ["256,10.0.0.1,10.0.0.2", "no protocol '256'"],
    ["constructor,10.0.0.1,10.0.0.2", "no protocol 'constructor'"],
    ["tcp,10.0.0.1,10.0.0.2:2", "lacks a port"],
    ["tcp,10.0.0.1:65536,10.0.0.2:2", "a port of '65536'; allowed: 0-65535"],
    ["icmp,10.0.0.1,10.0.0.2", "lacks an id"],
    ["icmp,10.0.0.1,10.0.0.2,x", "an id of 'x'"],
    ["icmp,10.0.0.1:1,10.0.0.2:1,7", "has ports and an id"],
    ["tcp,10.0.0.1,10.0.0.2,7", "tcp has none"],
    ["gre,10.0.0.1:1,10.0.0.2:1", "its protocol has none"],
    ["tcp,10.0.0.1:1,[2001:db8::1]:2", "mixes IPv4 and IPv6"],
    ["tcp,10.0.0.999:1,10.0.0.2:2", "no valid address in '10.0.0.999'"],
    ["tcp,[2001:db8:::1]:1,[2001:db8::1]:2", "no valid address"],
    ["tcp,[fe80::1%eth0]:1,[fe80::2]:2", "no valid address"],
    ["tcp src=10.0.0.1 sport=1 dport=2", "lacks src= or dst="],
    ["tcp src=10.0.0.1 dst=10.0.0.2", "lacks a port"],
  ])("%s", (text, message) => {
    let error: unknown = null;
    try {
      parseTuple(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(CliError);
    expect((error as CliError).exitCode).toBe(2);
    expect((error as CliError).message).toContain(message);
  });
});
