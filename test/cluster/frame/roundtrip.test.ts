/** Every frame that can be written is read back as it was; every cut of it is refused. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addressee } from "../../../src/cluster/frame/address.js";
import { dataPayload, dataSequence, encodeData, isData } from "../../../src/cluster/frame/data.js";
import {
  encodeHeartbeat,
  isHeartbeat,
  readHeartbeat,
} from "../../../src/cluster/frame/heartbeat.js";
import { STATES } from "../../../src/cluster/frame/kind.js";
import { encodeLeave, isLeave, leaveTick } from "../../../src/cluster/frame/leave.js";
import { encodeNak, isNak, nakRuns } from "../../../src/cluster/frame/nak.js";
import { encodeRepair, isRepair, repairBuckets } from "../../../src/cluster/frame/repair.js";
import { encodeResync, isResync, resyncTicket } from "../../../src/cluster/frame/resync.js";
import { encodeStart, isStart, readStart } from "../../../src/cluster/frame/start.js";
import { ECHOES_MAX, NAK_RUNS_MAX, REPAIR_BUCKETS_MAX } from "../../../src/cluster/limits.js";
import { bitmapOf, type Run, runsOf } from "../../../src/cluster/ranges/bitmap.js";
import { RUNS_MAX } from "../../../src/config/limits.js";

const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const exact = fc.maxSafeNat();
const member = fc.record({ node: fc.integer({ min: 1, max: 255 }), incarnation: u64 });

/** Runs as a node claims them: of a set of any buckets, so ascending and not touching. */
const runs = fc.uniqueArray(u16, { maxLength: RUNS_MAX }).map((buckets) =>
  runsOf(
    bitmapOf(
      buckets.map((at): Run => [at, at]),
      65_536,
    ),
  ),
);

const echo = fc.record({
  node: fc.integer({ min: 1, max: 255 }),
  incarnation: u64,
  challenge: u64,
  links: fc.integer({ min: 0, max: 15 }),
});

const heartbeat = fc.record({
  state: fc.constantFrom(...STATES),
  tick: exact,
  epoch: exact,
  viewHash: u64,
  configDigest: u64,
  challenge: u64,
  sent: u32,
  runs,
  echoes: fc.array(echo, { maxLength: ECHOES_MAX }),
});

/** A shorter body is another body, or none. */
function expectWhole(bytes: Uint8Array, isOne: (bytes: Uint8Array) => boolean): void {
  expect(isOne(bytes)).toBe(true);
  for (let length = 0; length < bytes.length; length++) {
    if (isOne(bytes.subarray(0, length))) expect(`${length} of ${bytes.length}`).toBe("refused");
  }
  expect(isOne(Uint8Array.from([...bytes, 0]))).toBe(false);
}

describe("written and read back", () => {
  test("HEARTBEAT", () => {
    fc.assert(
      fc.property(heartbeat, (beat) => {
        const bytes = encodeHeartbeat(beat);
        expectWhole(bytes, isHeartbeat);
        expect(readHeartbeat(bytes)).toEqual(beat);
      }),
    );
  });

  test("LEAVE, RESYNC and START", () => {
    fc.assert(
      fc.property(exact, member, u32, u32, (tick, to, ticket, sequence) => {
        expectWhole(encodeLeave(tick), isLeave);
        expect(leaveTick(encodeLeave(tick))).toBe(tick);
        const resync = encodeResync(to, ticket);
        expectWhole(resync, isResync);
        expect([addressee(resync), resyncTicket(resync)]).toEqual([to, ticket]);
        const start = encodeStart(to, { ticket, sequence });
        expectWhole(start, isStart);
        expect([addressee(start), readStart(start)]).toEqual([to, { ticket, sequence }]);
      }),
    );
  });

  test("NAK and REPAIR", () => {
    const run = fc.record({ first: u32, frames: fc.integer({ min: 1, max: 0xffff }) });
    const wanted = fc.array(run, { minLength: 1, maxLength: NAK_RUNS_MAX });
    const drifted = fc.array(u16, { minLength: 1, maxLength: REPAIR_BUCKETS_MAX });
    fc.assert(
      fc.property(member, wanted, drifted, (to, missing, buckets) => {
        const nak = encodeNak(to, missing);
        expectWhole(nak, isNak);
        expect([addressee(nak), nakRuns(nak)]).toEqual([to, missing]);
        const repair = encodeRepair(to, buckets);
        expectWhole(repair, isRepair);
        expect([addressee(repair), repairBuckets(repair)]).toEqual([to, buckets]);
      }),
    );
  });

  test("DATA, whose payload has any length but none", () => {
    fc.assert(
      fc.property(u32, fc.uint8Array({ minLength: 1, maxLength: 1300 }), (sequence, payload) => {
        const bytes = encodeData(sequence, payload);
        expect(isData(bytes)).toBe(true);
        expect([dataSequence(bytes), dataPayload(bytes)]).toEqual([sequence, payload]);
      }),
    );
    expect(isData(encodeData(1, new Uint8Array()))).toBe(false);
  });
});
