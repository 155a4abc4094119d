/** The thread that holds first replies; see hold-worker.ts. */
import {
  BroadcastChannel,
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  workerData,
} from "node:worker_threads";
import { HOLD_QUEUE_LENGTH } from "../../config/limits.js";
import type { DataplaneConfig } from "../../config/types.js";
import { enterThread } from "../../platform/threads.js";
import { clearWake } from "../../platform/wake.js";
import { ASK_CHANNEL, RELEASE_CHANNEL } from "../../state/hold-channel.js";
import { type SharedBuffer, SharedState } from "../../state/layout.js";
import { MarkField } from "../../state/mark-field.js";
import { Batch } from "../batch.js";
import { NfqueueCapture } from "../capture/nfqueue.js";
import { HoldWorker } from "./hold-worker.js";

/** What `main` gives to the thread. */
export interface HoldThreadData {
  /** Among the packet workers, behind the last of them. */
  readonly index: number;
  readonly queue: number;
  /** Signalled with each answer, and at the end. */
  readonly wakeFd: number;
  readonly holdMs: number;
  readonly seed: number;
  readonly shared: SharedBuffer;
  readonly dataplane: DataplaneConfig;
}

/** As the packet workers. */
const SCHEDULING = { nice: -10 };

const data = workerData as HoldThreadData;
enterThread("sw-hold", SCHEDULING);
const { dataplane, wakeFd } = data;
const settings = { ...dataplane, number: data.queue, queueLength: HOLD_QUEUE_LENGTH };
const capture = new NfqueueCapture(settings, wakeFd, "any");
const questions = new BroadcastChannel(ASK_CHANNEL);
const releases = new BroadcastChannel(RELEASE_CHANNEL);
const worker = new HoldWorker({
  index: data.index,
  state: new SharedState(data.shared),
  capture,
  batch: new Batch(dataplane.copyRange),
  leaving: new Batch(dataplane.copyRange),
  mark: new MarkField(dataplane.markMask),
  holdMs: data.holdMs,
  seed: data.seed,
  ask: (rows) => questions.postMessage(rows.slice()),
  answers(release) {
    clearWake(wakeFd); // before the look: an answer that comes meanwhile wakes again
    for (let next = received(); next; next = received()) {
      for (const ticket of next.message as Int32Array) release(ticket);
    }
  },
});

/** Node takes a BroadcastChannel here too; its types know only of ports. */
function received(): { message: unknown } | undefined {
  return receiveMessageOnPort(releases as unknown as MessagePort);
}

parentPort?.postMessage("ready");
worker.run();
capture.close();
questions.close();
releases.close();
