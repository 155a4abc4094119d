/** A packet worker without a kernel: a capture that plays packets and keeps the verdicts. */
import type { HashMode } from "../../src/config/types.js";
import { Batch } from "../../src/packet/batch.js";
import type { Capture } from "../../src/packet/capture/capture.js";
import { BucketHash } from "../../src/packet/flow/bucket.js";
import { FlowMirror } from "../../src/packet/flow/flow-mirror.js";
import { TranslatedPorts } from "../../src/packet/flow/translated-ports.js";
import { Worker } from "../../src/packet/worker.js";
import { bootMs } from "../../src/platform/clock.js";
import { DESCRIPTOR } from "../../src/platform/native.js";
import { allocateShared, SharedState } from "../../src/state/layout.js";
import { writeLease } from "../../src/state/lease-word.js";
import { MarkField } from "../../src/state/mark-field.js";
import { Mirror, mirrorBytes } from "../../src/state/mirror.js";
import { REASONS } from "../../src/state/reason.js";

const MASK = 0xffff0000;
export const BUCKETS = 256;
const UNKNOWN = MASK | 0x2a;

/** 45 00 .. tcp/udp from 10.0.0.`a` to 10.0.1.`b`, port 1000 to 80 and back. */
export function packet(protocol: "syn" | "ack" | "udp", from: number[], to: number[]): Buffer {
  const ports = from[2] === 0 ? [0x03, 0xe8, 0x00, 0x50] : [0x00, 0x50, 0x03, 0xe8];
  const rest =
    protocol === "udp" ? [0, 8, 0, 0] : [...Array(8).fill(0), 0x50, protocol === "syn" ? 2 : 16];
  const tail = protocol === "udp" ? [] : Array(6).fill(0);
  const length = 20 + ports.length + rest.length + tail.length;
  const number = protocol === "udp" ? 17 : 6;
  const header = [0x45, 0, 0, length, 0, 0, 0x40, 0, 64, number, 0, 0, ...from, ...to];
  return Buffer.from([...header, ...ports, ...rest, ...tail]);
}

/** Ports of three to a bucket; clients and the server do not meet it. */
const TRANSLATED = { address: "192.0.2.5", ports: [1000, 1000 + 3 * BUCKETS - 1] } as const;
export const CLIENT = [10, 0, 0, 2];
export const SERVER = [10, 0, 1, 2];

/** A reply from the server's port 80 to the port 1000 of the translated address: bucket 0. */
export const TO_TRANSLATED = [192, 0, 2, 5];

class Played implements Capture {
  queue: { bytes: Buffer; mark: number }[] = [];
  settled: { verdict: number; mark: number }[] = [];
  beforeSettle = () => {};
  losses = { overruns: 1, verdictErrors: 2, unreadable: 3 };

  receive(batch: Batch): void {
    batch.count = this.queue.length;
    this.queue.splice(0).forEach(({ bytes, mark }, index) => {
      const at = index * batch.slotBytes;
      batch.bytes.set(bytes, at);
      const words = [index, 0x0800, mark, 1, at, bytes.length, bytes.length, 0];
      batch.descriptors.set(words, index * DESCRIPTOR.STRIDE);
    });
  }
  settle(batch: Batch): void {
    for (let i = 0; i < batch.count; i++) {
      this.settled.push({ verdict: batch.verdicts[i] as number, mark: batch.marks[i] as number });
    }
  }
  close(): void {}
}

/** All buckets of a node that owns all. */
export const ALL = new Int32Array(BUCKETS / 32).fill(-1);

export const bucketIn = (mark: number) => (mark >>> 16) - 1;

/** A state that is leased for a minute, and a capture. */
export class Loop {
  readonly state = new SharedState(allocateShared(BUCKETS, 1));
  readonly capture = new Played();

  constructor() {
    writeLease(this.state.words, this.state.leaseAt, bootMs() + 60_000);
  }

  worker(mode: HashMode, pickup = false): Worker {
    const { state, capture } = this;
    const buffer = new SharedArrayBuffer(mirrorBytes(1, 64));
    const mirror = new Mirror({ buffer, at: 0, shards: 1, flows: 64, own: 0, idleMs: 60_000 });
    return new Worker({
      index: 0,
      state,
      capture,
      batch: new Batch(256),
      hash: new BucketHash({ mode, seed: 7, buckets: BUCKETS }),
      mark: new MarkField(MASK),
      pickup,
      mirror: mode === "tuple" ? null : new FlowMirror(mirror, 7),
      translated: new TranslatedPorts([TRANSLATED], BUCKETS),
    });
  }

  play(bytes: Buffer, mark = UNKNOWN): void {
    this.capture.queue.push({ bytes, mark });
  }

  /** Packets by reason, without those of which there are none. */
  counted(): Record<string, number> {
    const counters = this.state.counters(0).read();
    const names = REASONS.map(({ name }, index) => [name, counters[index] as number] as const);
    return Object.fromEntries(names.filter(([, count]) => count !== 0));
  }
}
