/** A packet worker thread: opens its queue, says so, and runs the loop until it is told to stop. */
import { parentPort, workerData } from "node:worker_threads";
import { MIRROR_FLOWS, MIRROR_IDLE_MS } from "../config/limits.js";
import type { DataplaneConfig, HashMode } from "../config/types.js";
import { inlineMore } from "../platform/compiler.js";
import type { TableMemory } from "../platform/table-memory.js";
import { enterThread } from "../platform/threads.js";
import { type SharedBuffer, SharedState } from "../state/layout.js";
import { MarkField } from "../state/mark-field.js";
import { Mirror } from "../state/mirror.js";
import { Batch } from "./batch.js";
import { NfqueueCapture } from "./capture/nfqueue.js";
import { BucketHash } from "./flow/bucket.js";
import { FlowMirror } from "./flow/flow-mirror.js";
import { type TranslatedAddress, TranslatedPorts } from "./flow/translated-ports.js";
import { Worker } from "./worker.js";

/** What `main` gives to the thread. */
export interface PacketThreadData {
  readonly index: number;
  readonly queue: number;
  readonly wakeFd: number;
  readonly seed: number;
  readonly shared: SharedBuffer;
  readonly hash: { readonly mode: HashMode; readonly buckets: number };
  readonly dataplane: DataplaneConfig;
  /** Memory of the mirror; null where the hash is symmetric. */
  readonly mirror: TableMemory | null;
  readonly translated: readonly TranslatedAddress[];
}

/** Forwarding comes before whatever else runs on the machine. */
const SCHEDULING = { nice: -10 };

const data = workerData as PacketThreadData;
enterThread(`sw-packet-${data.index}`, SCHEDULING);
inlineMore();
const { dataplane, hash, seed } = data;
const capture = new NfqueueCapture({ number: data.queue, ...dataplane }, data.wakeFd, "ordered");
const worker = new Worker({
  index: data.index,
  state: new SharedState(data.shared),
  capture,
  batch: new Batch(dataplane.copyRange),
  hash: new BucketHash({ ...hash, seed }),
  mark: new MarkField(dataplane.markMask),
  pickup: dataplane.pickup,
  mirror: data.mirror && new FlowMirror(shardOf(data.mirror), seed),
  translated: new TranslatedPorts(data.translated, hash.buckets),
});

function shardOf(memory: TableMemory): Mirror {
  const { index: own, dataplane: settings } = data;
  const shards = settings.queues;
  return new Mirror({ ...memory, shards, flows: MIRROR_FLOWS, own, idleMs: MIRROR_IDLE_MS });
}

parentPort?.postMessage("ready");
worker.run();
capture.close();
