import { describe, expect, test } from "vitest";
import {
  addressBytes,
  isHost,
  isMulticast,
  isMulticastMac,
  parseEndpoint,
  parsePorts,
  parsePrefix,
} from "../../src/config/address.js";

describe("endpoints", () => {
  test.each([
    ["10.0.0.1", { address: "10.0.0.1", family: 4, port: 7 }],
    ["10.0.0.1:80", { address: "10.0.0.1", family: 4, port: 80 }],
    ["2001:db8::1", { address: "2001:db8::1", family: 6, port: 7 }],
    ["[2001:db8::1]", { address: "2001:db8::1", family: 6, port: 7 }],
    ["[2001:db8::1]:80", { address: "2001:db8::1", family: 6, port: 80 }],
    ["[10.0.0.1]:80", null],
    ["10.0.0.1:0", null],
    ["10.0.0.1:65536", null],
    ["10.0.0.1:", null],
    ["fe80::1%eth0", null],
    ["localhost:80", null],
    ["", null],
  ])("%s", (text, expected) => {
    expect(parseEndpoint(text, 7)).toEqual(expected);
  });
});

describe("prefixes", () => {
  test.each([
    ["192.168.0.5/24", { address: "192.168.0.5", family: 4, length: 24 }],
    ["0.0.0.0/0", { address: "0.0.0.0", family: 4, length: 0 }],
    ["2001:db8::/128", { address: "2001:db8::", family: 6, length: 128 }],
    ["192.168.0.5/33", null],
    ["2001:db8::/129", null],
    ["192.168.0.5", null],
    ["192.168.0.5/", null],
    ["/24", null],
  ])("%s", (text, expected) => {
    expect(parsePrefix(text)).toEqual(expected);
  });
});

test.each([
  ["224.0.0.1", true, false],
  ["239.255.255.255", true, false],
  ["223.255.255.255", false, true],
  ["240.0.0.1", false, true],
  ["ff02::1", true, false],
  ["fe80::1", false, true],
  ["0.0.0.0", false, false],
  ["::", false, false],
  ["255.255.255.255", false, false],
  ["host", false, false],
])("%s: multicast %s, a host %s", (address, multicast, host) => {
  expect(isMulticast(address)).toBe(multicast);
  expect(isHost(address)).toBe(host);
});

test.each([
  ["01:00:5e:00:01:01", true],
  ["33:33:00:00:00:01", true],
  ["03:00:00:00:00:01", true],
  ["02:00:5e:00:01:01", false],
  ["FF:ff:ff:ff:ff:ff", false],
])("%s is a multicast MAC address: %s", (mac, expected) => {
  expect(isMulticastMac(mac)).toBe(expected);
});

test.each([
  ["1024-65535", [1024, 65535]],
  ["5-5", [5, 5]],
  ["0-5", null],
  ["6-5", null],
  ["1-65536", null],
  ["80", null],
])("ports %s", (text, expected) => {
  expect(parsePorts(text)).toEqual(expected);
});

test.each([
  ["192.168.0.5", "c0a80005"],
  ["::", "00000000000000000000000000000000"],
  ["::1", "00000000000000000000000000000001"],
  ["2001:db8::", "20010db8000000000000000000000000"],
  ["2001:db8::a:5", "20010db80000000000000000000a0005"],
  ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
  ["::ffff:192.0.2.1", "00000000000000000000ffffc0000201"],
])("%s is the bytes %s", (address, hex) => {
  expect(Buffer.from(addressBytes(address)).toString("hex")).toBe(hex);
});
