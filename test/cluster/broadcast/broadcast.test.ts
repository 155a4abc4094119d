/** Reliable broadcast between several nodes on virtual time: invariants B1 to B6. */
import { describe, expect, test, vi } from "vitest";
import { KIND } from "../../../src/cluster/frame/kind.js";
import { NAK_REPEAT_MS } from "../../../src/cluster/limits.js";
import { FLOW_MUTANTS } from "../../sim/mutants/flows.js";
import { BEAT_MS, FRAMES, Net, Node } from "./net.js";

describe("transcript", () => {
  test("a start, a table, a gap, its repair", () => {
    const net = new Net(1, 2);
    const [a, b] = net.nodes;
    net.run(200);
    expect([b.starts(1), a.starts(2)]).toEqual([1, 1]);
    net.passes = (from, _to, body) => !(from === a && body?.[0] === KIND.data);
    a.publish(net.now);
    net.run(1);
    net.passes = () => true;
    a.publish(net.now);
    net.run(3);
    expect(b.last(1)).toBe(0);
    net.run(60);
    expect(b.last(1)).toBe(2);
    expect(net.kinds[KIND.nak]).toBe(1);
  });

  test("B2: the last frame is repaired although nothing follows", () => {
    const net = new Net(2, 2);
    const [a, b] = net.nodes;
    net.run(200);
    net.passes = (from, _to, body) => !(from === a && body?.[0] === KIND.data);
    a.publish(net.now);
    net.run(5);
    net.passes = () => true;
    net.run(BEAT_MS + 60);
    expect(b.last(1)).toBe(1);
  });

  test("a peer out of sight for a short time goes on where it was", () => {
    const net = new Net(3, 2);
    const [a, b] = net.nodes;
    net.run(200);
    b.broadcast.peerDown(a.member);
    for (let count = 0; count < FRAMES - 1; count++) a.publish(net.now);
    net.run(100);
    expect(b.last(1)).toBe(0);
    b.broadcast.peerUp(a.member, net.now);
    net.run(500);
    expect([b.last(1), b.starts(1)]).toEqual([FRAMES - 1, 1]);
  });

  test("B3: beyond the buffer it starts again, and misses nothing after the start", () => {
    const net = new Net(4, 2);
    const [a, b] = net.nodes;
    net.run(200);
    b.broadcast.peerDown(a.member);
    for (let count = 0; count < FRAMES + 5; count++) a.publish(net.now);
    net.run(100);
    b.broadcast.peerUp(a.member, net.now);
    net.run(500);
    a.publish(net.now);
    net.run(50);
    expect([b.last(1), b.starts(1)]).toEqual([FRAMES + 6, 2]);
    expect(b.heard.get(1)?.values).toEqual([FRAMES + 5, FRAMES + 6]);
  });

  test("B4: of a former incarnation nothing is delivered any more", () => {
    const net = new Net(5, 2);
    const [old, b] = net.nodes;
    net.run(200);
    old.publish(net.now);
    const [late] = old.outbox.slice(-1);
    old.outbox = [];
    net.add(1, 900);
    net.run(300);
    b.broadcast.onBody(old.member, late, net.now);
    b.broadcast.onSent(old.member, old.sent, net.now);
    net.run(200);
    expect(b.last(1)).toBe(0);
    expect(b.heard.get(1)?.incarnation).not.toBe(old.member.incarnation);
  });

  test("nothing that is not for this incarnation, and nothing broken, is obeyed", () => {
    const net = new Net(6, 3);
    const [a, , c] = net.nodes;
    net.run(300);
    expect(a.broadcast.counters.notMine).toBeGreaterThan(0); // RESYNCs between the others
    const { counters } = c.broadcast;
    for (const kind of [KIND.data, KIND.nak, KIND.resync, KIND.start]) {
      c.broadcast.onBody(a.member, Uint8Array.from([kind, 3]), net.now);
    }
    expect(counters.malformed).toBe(4);
    expect(c.broadcast.onBody(a.member, Uint8Array.from([KIND.repair]), net.now)).toBe(false);
  });
});

test("B1, B3, B5: loss, duplicates, reordering, pauses, restarts: nothing is skipped", () => {
  let restarts = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const net = new Net(seed * 7919, 2 + (seed % 4));
    for (let round = 0; round < 12; round++) {
      net.loss = net.random() * 0.3;
      net.duplication = net.random() / 2;
      net.delayMs = 1 + net.random() * 60;
      const deaf = net.nodes[Math.floor(net.random() * net.nodes.length)];
      const isPause = net.random() < 0.2;
      net.passes = (_from, to) => !isPause || to !== deaf;
      if (net.random() < 0.15) net.add(deaf.member.node, 2 ** 32 - 1);
      for (let step = 0; step < 20; step++) {
        for (const node of net.nodes) {
          for (let count = Math.floor(net.random() * 4); count > 0; count--) node.publish(net.now);
        }
        net.run(10);
      }
    }
    Object.assign(net, { loss: 0, duplication: 0, delayMs: 2, passes: () => true });
    net.run(2000);
    for (const node of net.nodes) {
      for (const other of net.nodes) {
        if (node !== other) restarts += node.starts(other.member.node) - 1;
        const isSame = node === other || node.last(other.member.node) === other.published;
        expect([seed, node.member.node, other.member.node, isSame]).toEqual([
          ...[seed, node.member.node, other.member.node, true],
        ]);
      }
    }
  }
  expect(restarts).toBeGreaterThan(10); // the faults were bad enough to lose the thread
}, 60_000);

test("B6: NAKs are bounded by time, not by what is lost, and there are none in quiet", () => {
  const net = new Net(9, 4);
  net.run(300);
  net.loss = 0.3;
  const [sender] = net.nodes;
  const before = net.kinds[KIND.nak] ?? 0;
  const ms = 3000;
  for (let at = 0; at < ms; at += 10) {
    for (let count = 0; count < 3; count++) sender.publish(net.now);
    net.run(10);
  }
  const naks = (net.kinds[KIND.nak] ?? 0) - before;
  const receivers = 3;
  expect(naks).toBeGreaterThan(0);
  expect(naks).toBeLessThanOrEqual((receivers * ms) / NAK_REPEAT_MS);
  net.loss = 0;
  net.run(500);
  const settled = net.kinds[KIND.nak];
  net.run(2000);
  expect(net.kinds[KIND.nak]).toBe(settled);
  expect(net.nodes.slice(1).map((node) => node.last(1))).toEqual(Array(3).fill(sender.published));
});

describe("what a node notices of itself", () => {
  /** One frame is lost, later ones come, and the first of all comes once more. */
  function violations(): number {
    const net = new Net(9, 2);
    const [a, b] = net.nodes;
    net.run(200);
    const first = a.broadcast.buffer.next;
    for (let count = 0; count < 5; count++) a.publish(net.now);
    net.run(1);
    net.passes = (from, _to, body) => !(from === a && body?.[0] === KIND.data);
    a.publish(net.now);
    net.run(1);
    net.passes = () => true;
    for (let count = 0; count < 5; count++) a.publish(net.now);
    net.run(3);
    const again = a.broadcast.buffer.repeat(first + 4, net.now + 1000) as Uint8Array;
    b.broadcast.onBody(a.member, again, net.now);
    net.run(500);
    return b.broadcast.order.violations;
  }

  test("frames in order are none", () => {
    expect(violations()).toBe(0);
  });

  test.each(["late-frame-taken", "gap-skipped"])("%s is counted", (name) => {
    const undo = FLOW_MUTANTS.find((mutant) => mutant.name === name)?.apply?.();
    // The layer above objects, too; here it is the node's own count that is looked at.
    const deliver = vi.spyOn(Node.prototype, "deliver").mockImplementation(() => {});
    try {
      expect(violations()).toBeGreaterThan(0);
    } finally {
      deliver.mockRestore();
      undo?.();
    }
  });
});
