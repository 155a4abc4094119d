/** Packets in memory, and a capture that hands them out as fast as the worker takes them. */
import { Batch } from "../../dist/packet/batch.js";
import { BATCH_MAX, DESCRIPTOR } from "../../dist/platform/native.js";

/** Bytes of an IPv4 and a TCP header without options. */
export const IP_BYTES = 40;

const ETHERTYPE_IPV4 = 0x0800;
const TCP_ACK = 0x10;
const COPY_RANGE_BYTES = 128;
const SERVER = [192, 168, 1, 2];

/** An odd step: visits each of a power of two of flows once, each far from the one before. */
const STRIDE = 0x9e3779b1;

/** A reply of a TCP connection, still without its client; see {@link writeClient}. */
export function writeReply(bytes, at) {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, IP_BYTES);
  view.setUint32(0, 0x45000000 | IP_BYTES);
  view.setUint32(8, 0x40060000);
  bytes.set(SERVER, at + 12);
  view.setUint16(20, 80);
  view.setUint16(32, 0x5000 | TCP_ACK);
}

/** The client of flow `flow`: 16,384 ports of each address from 10.0.0.1 on. */
export function writeClient(bytes, at, flow) {
  const host = (flow >>> 14) + 1;
  const port = 1024 + (flow & 0x3fff);
  bytes[at + 16] = 10;
  bytes[at + 18] = host >>> 8;
  bytes[at + 19] = host;
  bytes[at + 22] = port >>> 8;
  bytes[at + 23] = port;
}

/**
 * Stands in for the kernel: writes the next 256 clients into packets that lie where the kernel would
 * have put them, so that they are as warm in the cache as there; nobody asks for the verdicts.
 */
export class MemoryCapture {
  losses = { overruns: 0, verdictErrors: 0, unreadable: 0 };
  batch = new Batch(COPY_RANGE_BYTES);
  next = 0;

  /** @param flows a power of two, @param mark the packet mark of each packet */
  constructor(flows, mark) {
    this.flows = flows;
    const { bytes, descriptors, slotBytes } = this.batch;
    for (let index = 0; index < BATCH_MAX; index++) {
      const at = index * DESCRIPTOR.STRIDE;
      writeReply(bytes, index * slotBytes);
      descriptors[at + DESCRIPTOR.ETHERTYPE] = ETHERTYPE_IPV4;
      descriptors[at + DESCRIPTOR.MARK] = mark;
      descriptors[at + DESCRIPTOR.OFFSET] = index * slotBytes;
      descriptors[at + DESCRIPTOR.CAPTURED] = IP_BYTES;
    }
  }

  receive(batch) {
    for (let index = 0; index < BATCH_MAX; index++) {
      const flow = Math.imul(this.next, STRIDE) & (this.flows - 1);
      this.next = (this.next + 1) | 0;
      writeClient(batch.bytes, index * batch.slotBytes, flow);
    }
    batch.count = BATCH_MAX;
  }

  settle() {}
  close() {}
}
