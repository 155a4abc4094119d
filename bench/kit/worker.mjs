/** The worker that a node's packet thread runs, over packets in memory. */
import { BucketHash } from "../../dist/packet/flow/bucket.js";
import { TranslatedPorts } from "../../dist/packet/flow/translated-ports.js";
import { Worker } from "../../dist/packet/worker.js";
import { bootMs } from "../../dist/platform/clock.js";
import { inlineMore } from "../../dist/platform/compiler.js";
import { BATCH_MAX } from "../../dist/platform/native.js";
import { allocateShared, SharedState } from "../../dist/state/layout.js";
import { writeLease } from "../../dist/state/lease-word.js";
import { MarkField } from "../../dist/state/mark-field.js";
import { accepts, REASON_COUNT } from "../../dist/state/reason.js";
import { MemoryCapture } from "./packets.mjs";

export const SEED = 0xdeadbeef;

const MASK = 0xffff0000;
const BUCKETS = 256;
const LEASE_MS = 3_600_000;

/** Packet mark of the cluster's packets before anybody knows their flow. */
export const UNKNOWN = MASK | 0;

/**
 * @param flows a power of two, @param mirror a FlowMirror, or null where the mode needs none
 * @returns `breatheFor(packets)`: judges so many. @throws Error when one was not accepted: what a
 *   drop costs is not asked here
 */
export function workerOf(mode, flows, mirror) {
  inlineMore();
  const state = new SharedState(allocateShared(BUCKETS, 1));
  state.owned.fill(-1);
  writeLease(state.words, state.leaseAt, bootMs() + LEASE_MS);
  const capture = new MemoryCapture(flows, UNKNOWN);
  const hash = new BucketHash({ mode, seed: SEED, buckets: BUCKETS });
  const parts = { batch: capture.batch, hash, mark: new MarkField(MASK), pickup: true, mirror };
  const translated = new TranslatedPorts([], BUCKETS);
  const worker = new Worker({ index: 0, state, capture, translated, ...parts });
  const accepted = () =>
    state
      .counters(0)
      .read()
      .slice(0, REASON_COUNT)
      .reduce((sum, count, reason) => sum + (accepts(reason) ? count : 0), 0);
  return {
    breatheFor(packets) {
      const before = accepted();
      for (let done = 0; done < packets; done += BATCH_MAX) worker.breathe();
      const dropped = Math.ceil(packets / BATCH_MAX) * BATCH_MAX - (accepted() - before);
      if (dropped !== 0) throw new Error(`${dropped} of ${packets} packets were dropped`);
    },
  };
}
