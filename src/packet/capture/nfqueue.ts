/** NFQUEUE as a capture: one native call receives a batch, one more settles it. */
import { isQueueOpen, QUEUES } from "../../kernel/drops.js";
import { bootMs } from "../../platform/clock.js";
import { native, type Queue } from "../../platform/native.js";
import { errnoName, OpError } from "../../platform/op-error.js";
import type { Batch } from "../batch.js";
import type { Capture, CaptureLosses } from "./capture.js";
import { Pace } from "./pace.js";

export interface QueueSettings {
  readonly number: number;
  /** bytes of each packet that the kernel copies to us */
  readonly copyRange: number;
  /** packets that the kernel holds for us before it drops */
  readonly queueLength: number;
  /** bytes of the socket's receive buffer */
  readonly socketBuffer: number;
  /** take packets larger than the MTU in one piece, without software segmentation */
  readonly gso: boolean;
}

/** How a worker settles: each batch whole before the next one comes, or packets in any order. */
export type Settling = "ordered" | "any";

export class NfqueueCapture implements Capture {
  private readonly queue: Queue;
  private readonly pace = new Pace();
  private readonly ordered: 0 | 1;
  private pauseUs = 0;

  /**
   * @param wakeFd eventfd that ends a wait, -1 for none
   * @throws OpError: EPERM without CAP_NET_ADMIN, EBUSY when another process has the queue
   */
  constructor(
    settings: QueueSettings,
    private readonly wakeFd: number,
    settling: Settling,
  ) {
    this.queue = openQueue(settings);
    this.ordered = settling === "ordered" ? 1 : 0;
  }

  receive(batch: Batch, timeoutMs: number): void {
    const { queue, wakeFd, pauseUs } = this;
    const { bytes, descriptors, slotBytes } = batch;
    batch.count = queue.receive(bytes, descriptors, slotBytes, wakeFd, timeoutMs, pauseUs);
    if (this.ordered === 1) this.pauseUs = this.pace.note(batch.count, bootMs());
  }

  settle(batch: Batch): void {
    if (batch.count === 0) return;
    const { descriptors, verdicts, marks, count } = batch;
    this.queue.settle(descriptors, verdicts, marks, count, this.ordered);
  }

  get losses(): CaptureLosses {
    const { overruns, verdictErrors, malformed } = this.queue;
    return { overruns, verdictErrors, unreadable: malformed };
  }

  close(): void {
    this.queue.close();
  }
}

function openQueue(settings: QueueSettings): Queue {
  const { number, copyRange, queueLength, socketBuffer, gso } = settings;
  try {
    return new native.Queue(number, copyRange, queueLength, socketBuffer, gso ? 1 : 0);
  } catch (cause) {
    throw openError(`open NFQUEUE ${number}`, number, cause);
  }
}

/** The kernel answers EPERM both for missing rights and for a queue that is taken. */
function openError(name: string, number: number, cause: unknown): OpError {
  const isDenied = errnoName(cause) === "EPERM";
  if (errnoName(cause) === "EBUSY" || (isDenied && isQueueOpen(number))) {
    const hint = `another process has it, see ${QUEUES}; stop it, or set dataplane.firstQueue`;
    return new OpError(name, "EBUSY", hint, { cause });
  }
  const hint = "needs CAP_NET_ADMIN and a kernel with NETFILTER_NETLINK_QUEUE";
  return new OpError(name, errnoName(cause) || String(cause), hint, { cause });
}
