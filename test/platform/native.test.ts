/** The border of the addon: threads, shared memory, wrong arguments. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { native } from "../../src/platform/native.js";
import { fixture, Namespace, rootOnly } from "../fixture/netns.js";

describe("the addon", () => {
  test("now() is CLOCK_BOOTTIME in milliseconds and does not go back", () => {
    const uptime = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1000;
    const first = native.now();
    expect(Math.abs(first - uptime)).toBeLessThan(5000);
    expect(native.now()).toBeGreaterThanOrEqual(first);
  });

  test("a method on a stranger and a method after close are refused", () => {
    const event = new native.EventFd();
    expect(() => event.signal.call({} as never)).toThrow(/Illegal invocation/);
    event.close();
    expect(() => event.signal()).toThrow(/EBADF/);
  });

  test("typed arrays must have the type and the room that a call needs", () => {
    const netlink = new native.Netlink(12, 65536);
    expect(() => netlink.send(new Int8Array(8) as never, 8)).toThrow(/Uint8Array/);
    expect(() => netlink.send(new Uint8Array(8), 9)).toThrow(/length/);
    expect(() => netlink.receive(new Uint8Array(10), 0)).toThrow(/large enough/);
    expect(netlink.receive(new Uint8Array(new SharedArrayBuffer(64)), 0)).toBe(0);
    const many = (lengths: unknown, slot: number) =>
      netlink.receiveMany(new Uint8Array(128), lengths as Int32Array, slot, -1, 0);
    expect(() => many(new Float64Array(2), 64)).toThrow(/Int32Array/);
    expect(() => many(new Int32Array(2), 129)).toThrow(/slotSize/);
    expect(many(new Int32Array(2), 64)).toBe(0);
    expect(() => netlink.join(0)).toThrow(/group/);
    netlink.close();
  });
});

rootOnly("threads that end in the middle", () => {
  test("leave no descriptor and no queue behind", async () => {
    const ns = new Namespace();
    try {
      const report = JSON.parse(ns.exec("node", [fixture("queue-terminate.mjs")]));
      expect(report).toEqual({ leaked: 0, queues: "" });
    } finally {
      await ns.close();
    }
  });
});
