/** Attacks on the memory and the link of replication: floods of flows, of questions, of resyncs. */
import { describe, expect, test } from "vitest";
import type { FlowOutput } from "../../../src/cluster/flows/output.js";
import { STATUS } from "../../../src/cluster/flows/record.js";
import { keyOf } from "../../../src/cluster/flows/record-wire.js";
import { flowSettings } from "../../../src/cluster/flows/settings.js";
import { FlowSync } from "../../../src/cluster/flows/sync.js";
import { KIND } from "../../../src/cluster/frame/kind.js";
import { encodeNak } from "../../../src/cluster/frame/nak.js";
import { encodeRepair } from "../../../src/cluster/frame/repair.js";
import { encodeResync } from "../../../src/cluster/frame/resync.js";
import {
  FRAMES_PER_TICK,
  NAK_RUNS_MAX,
  REPAIRS_PER_TICK,
  SEND_BUFFER_FRAMES,
  TABLE_FRAMES_PER_TICK,
  YOUNG_MAX,
} from "../../../src/cluster/limits.js";
import { bitmapOf } from "../../../src/cluster/ranges/bitmap.js";
import { flow } from "./flows.js";

const SELF = { node: 1, incarnation: 1n };
const PEER = { node: 2, incarnation: 2n };
const BUCKETS = 256;
const FLOWS_MAX = 1024;
const TICK_MS = 10;
/** Digests and questions beside changes, repairs and tables. */
const OTHERS_PER_TICK = 8;

function node(): { sync: FlowSync; tick: (ms: number) => FlowOutput[] } {
  let drawn = 0;
  let now = 0;
  const given = { node: 1, buckets: BUCKETS, flowsMax: FLOWS_MAX, random32: () => ++drawn };
  const sync = new FlowSync(flowSettings(given), 0);
  sync.onSelf(SELF, 0);
  sync.onRange(bitmapOf([[0, BUCKETS - 1]], BUCKETS), 1, 0);
  const tick = (ms: number) => {
    const outputs: FlowOutput[] = [];
    for (const end = now + ms; now < end; ) {
      now += TICK_MS;
      const once = sync.onTick(now);
      const sent = once.filter(({ kind }) => kind === "send").length;
      const most = FRAMES_PER_TICK + REPAIRS_PER_TICK + TABLE_FRAMES_PER_TICK + OTHERS_PER_TICK;
      expect(sent).toBeLessThanOrEqual(most);
      outputs.push(...once);
    }
    return outputs;
  };
  return { sync, tick };
}

const ofKind = (outputs: readonly FlowOutput[], kind: number) =>
  outputs.filter((output) => output.kind === "send" && output.body[0] === kind).length;

describe("a flood of new flows", () => {
  const alive = (first: number, count: number, status: number) =>
    Array.from({ length: count }, (_, index) => {
      const record = flow(first + index, (first + index) % BUCKETS, { status, state: "opening" });
      return { kind: "alive", record } as const;
    });

  test("C5: makes room of flows without a reply, never of one that is assured", () => {
    const { sync, tick } = node();
    const assured = alive(0, FLOWS_MAX / 2, STATUS.SEEN_REPLY | STATUS.ASSURED);
    sync.onEvents(assured, 0);
    tick(3000);
    const { table } = sync.shelf;
    expect(table.size).toBe(assured.length);
    for (let wave = 0; wave < 6; wave++) {
      sync.onEvents(alive(10_000 + wave * 1500, 1500, 0), 3000 + wave * 500);
      tick(500);
      expect(table.size).toBeLessThanOrEqual(FLOWS_MAX);
    }
    tick(5000);
    expect(table.size).toBe(FLOWS_MAX);
    expect(table.counters.evicted).toBeGreaterThan(0);
    for (const { record } of assured) expect(table.get(keyOf(record))).toBeDefined();
  });

  test("what is too young to be told waits in bounded memory", () => {
    const { sync } = node();
    for (let wave = 0; wave < 30; wave++) sync.onEvents(alive(wave * 5000, 5000, 0), wave);
    expect(sync.author.young.size).toBe(YOUNG_MAX);
    expect(sync.author.young.dropped).toBe(30 * 5000 - YOUNG_MAX);
  });

  test("a table full of assured flows refuses the next one, and says so", () => {
    const { sync, tick } = node();
    sync.onEvents(alive(0, FLOWS_MAX + 50, STATUS.SEEN_REPLY | STATUS.ASSURED), 0);
    tick(3000);
    expect(sync.shelf.table.size).toBe(FLOWS_MAX);
    expect(sync.shelf.table.counters.refused).toBeGreaterThanOrEqual(50);
  });
});

describe("a member gone mad", () => {
  function withPeer() {
    const made = node();
    made.sync.onPeerUp(PEER, 0);
    made.tick(100);
    return made;
  }

  test("B6: a storm of NAKs is answered at the rate of one peer, in bounded memory", () => {
    const { sync, tick } = withPeer();
    for (let frame = 0; frame < 200; frame++) {
      sync.broadcast.publish(Uint8Array.of(7, 0, 0, 0, 0), 0);
    }
    const next = sync.broadcast.buffer.next;
    const everything = Array.from({ length: NAK_RUNS_MAX }, (_, run) => ({
      first: (next - 200 + run * 100_000) >>> 0,
      frames: 0xffff,
    }));
    const before = sync.broadcast.counters.repairs;
    for (let storm = 0; storm < 10_000; storm++)
      sync.onBody(PEER, encodeNak(SELF, everything), 100);
    expect(sync.broadcast.repairs.size).toBeLessThanOrEqual(SEND_BUFFER_FRAMES);
    expect(sync.broadcast.repairs.size).toBeLessThanOrEqual(256);
    expect(sync.broadcast.repairs.tooSoon).toBe(9999);
    tick(2000);
    expect(sync.broadcast.counters.repairs - before).toBeLessThanOrEqual(256);
  });

  test("frames that never were cost nothing", () => {
    const { sync } = withPeer();
    sync.onBody(PEER, encodeNak(SELF, [{ first: 0x70000000, frames: 0xffff }]), 100);
    expect(sync.broadcast.repairs.size).toBe(0);
  });

  test("a storm of RESYNCs buys one table at a time", () => {
    const { sync, tick } = withPeer();
    for (let ticket = 0; ticket < 10_000; ticket++)
      sync.onBody(PEER, encodeResync(SELF, ticket), 100);
    const once = tick(TICK_MS);
    expect(ofKind(once, KIND.start)).toBe(1);
    expect(ofKind(tick(1000), KIND.start)).toBe(0);
  });

  test("a storm of REPAIRs sends each bucket once, a table's frames a tick", () => {
    const { sync, tick } = withPeer();
    const buckets = Array.from({ length: 200 }, (_, bucket) => bucket);
    for (let storm = 0; storm < 1000; storm++) sync.onBody(PEER, encodeRepair(SELF, buckets), 100);
    expect(ofKind(tick(2000), KIND.data)).toBeLessThan(2000);
  });
});
