/** A packet worker thread: opens its queue, says so, and runs the loop until it is told to stop. */
import { parentPort, workerData } from "node:worker_threads";
import type { DataplaneConfig, HashMode } from "../config/types.js";
import { native } from "../platform/native.js";
import { type SharedBuffer, SharedState } from "../state/layout.js";
import { NfqueueCapture } from "./capture/nfqueue.js";
import { createWorker, runWorker } from "./worker.js";

/** What `main` gives to the thread. */
export interface PacketThreadData {
  readonly index: number;
  readonly queue: number;
  readonly wakeFd: number;
  readonly seed: number;
  readonly shared: SharedBuffer;
  readonly hash: { readonly mode: HashMode; readonly buckets: number };
  readonly dataplane: DataplaneConfig;
}

const data = workerData as PacketThreadData;
native.nameThread(`sw-packet-${data.index}`);
const capture = new NfqueueCapture({ number: data.queue, ...data.dataplane }, data.wakeFd);
const worker = createWorker(data, new SharedState(data.shared), capture);
parentPort?.postMessage("ready");
runWorker(worker);
capture.close();
