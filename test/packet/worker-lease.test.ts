/** The packet loop and the lease: nothing is accepted after its end; an accept would be seen. */
import { beforeEach, describe, expect, test, vi } from "vitest";
import { Worker, type WorkerParts } from "../../src/packet/worker.js";
import { bootMs } from "../../src/platform/clock.js";
import { publishBitmap } from "../../src/state/bucket-set.js";
import { EXTRA } from "../../src/state/counters.js";
import type { SharedState } from "../../src/state/layout.js";
import { revokeLease, writeLease } from "../../src/state/lease-word.js";
import { ALL, CLIENT, Loop, packet, SERVER } from "./loop.js";

describe("without a lease", () => {
  let loop: Loop;
  let state: SharedState;
  let capture: Loop["capture"];
  beforeEach(() => {
    loop = new Loop();
    ({ state, capture } = loop);
  });

  test("without a lease drops whatever was queued", () => {
    publishBitmap(state.owned, ALL);
    revokeLease(state.words, state.leaseAt);
    loop.play(packet("syn", CLIENT, SERVER));
    loop.play(packet("ack", CLIENT, SERVER), 10 << 16);
    loop.worker("tuple").breathe();
    expect(capture.settled.map(({ verdict }) => verdict)).toEqual([0, 0]);
    expect(loop.counted()).toEqual({ "lease-expired": 2 });
  });

  test("a lease that ends while the batch is decided drops the batch", () => {
    publishBitmap(state.owned, ALL);
    const subject = loop.worker("tuple");
    const receive = capture.receive.bind(capture);
    capture.receive = (batch) => {
      receive(batch);
      // The first look at the lease happens after this, the second one 30 ms later.
      writeLease(state.words, state.leaseAt, bootMs() + 10);
      const slow = batch.reasons;
      Object.defineProperty(batch, "reasons", {
        get() {
          for (const until = bootMs() + 1; bootMs() < until; );
          return slow;
        },
      });
    };
    for (let i = 0; i < 30; i++) loop.play(packet("syn", CLIENT, SERVER));
    subject.breathe();
    expect(loop.counted()).toEqual({ "lease-expired": 30 });
    expect(capture.settled.every(({ verdict }) => verdict === 0)).toBe(true);
  });

  describe("an accept without a lease is counted", () => {
    const unleased = () => state.counters(0).read()[EXTRA.UNLEASED];
    beforeEach(() => publishBitmap(state.owned, ALL));

    test("but not where the lease lasts, or where all are dropped", () => {
      const subject = loop.worker("tuple");
      loop.play(packet("syn", CLIENT, SERVER));
      subject.breathe();
      revokeLease(state.words, state.leaseAt);
      loop.play(packet("syn", CLIENT, SERVER));
      subject.breathe();
      expect(loop.counted()).toEqual({ "own-new": 1, "lease-expired": 1 });
      expect(unleased()).toBe(0);
    });

    test.each(["isLeased", "conclude"])("by a worker whose %s is broken", (name) => {
      const broken = Worker.prototype as unknown as Record<string, () => unknown>;
      const spy = vi.spyOn(broken, name).mockImplementation(function (this: unknown) {
        if (name === "isLeased") return true;
        const { batch } = (this as { parts: WorkerParts }).parts;
        batch.verdicts.fill(1, 0, batch.count); // of a batch that the pause came into
        return undefined;
      });
      try {
        revokeLease(state.words, state.leaseAt);
        for (let i = 0; i < 3; i++) loop.play(packet("syn", CLIENT, SERVER));
        loop.worker("tuple").breathe();
        expect(unleased()).toBe(3);
      } finally {
        spy.mockRestore();
      }
    });
  });
});
