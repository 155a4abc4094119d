/**
 * Flows whose packets need not hash to the bucket of their flow: those with a helper, those that
 * are or were expected, and those that somebody's rules translate. Their replies would be
 * refused by an early drop that knows nothing but the hash; so it refuses nothing while there are
 * any.
 *
 *     FTP control connection (helper)  seen with its first packet, long before the data connection
 *     translated by foreign rules      seen after its first packet: the first reply may be lost
 *
 * What `nat` translates is not counted: the program knows its ports.
 */

import type { KernelEvent } from "../flows/output.js";
import type { Flow, Replicated } from "../flows/record.js";
import { keyOf } from "../flows/record-wire.js";

const ICMP = 1;
const ICMPV6 = 58;

export class Detours {
  private flows = new Set<string>();
  /** Those of them that events have told of since some were lost: a dump may be older. */
  private readonly fresh = new Set<string>();
  private readonly isDetour: (record: Replicated) => boolean;
  /** Whether the kernel's table has been read since events were lost, or since the start. */
  private isKnown = false;

  /**
   * @param addresses what `nat` translates to, as bytes
   * @param max flows that are remembered; at the bound none is forgotten until the table is read
   */
  constructor(
    addresses: readonly Uint8Array[],
    private readonly max: number,
  ) {
    this.isDetour = detourTest(addresses);
  }

  /** Whether every flow is known to come back with its own bucket. */
  get areNone(): boolean {
    return this.isKnown && this.flows.size === 0;
  }

  onEvents(events: readonly KernelEvent[]): void {
    for (const { kind, record } of events) {
      if (kind === "gone") this.forget(record);
      else this.note(record, this.fresh);
    }
  }

  onLoss(): void {
    this.isKnown = false;
    this.fresh.clear();
  }

  /** The kernel's whole table. */
  onDump(records: Iterable<Replicated>): void {
    this.flows = new Set(this.fresh);
    this.isKnown = true;
    for (const record of records) this.note(record);
  }

  private note(record: Replicated, also?: Set<string>): void {
    if (!this.isDetour(record)) return;
    if (this.flows.size >= this.max) {
      this.isKnown = false;
      return;
    }
    const key = keyOf(record);
    this.flows.add(key);
    also?.add(key);
  }

  private forget(record: Replicated): void {
    if (this.flows.size === 0) return;
    const key = keyOf(record);
    this.flows.delete(key);
    this.fresh.delete(key);
  }
}

/** @param addresses what `nat` translates to, as bytes */
export function detourTest(addresses: readonly Uint8Array[]): (record: Replicated) => boolean {
  const translated = new Set(addresses.map((address) => address.join()));
  return (record) => {
    if (record.kind === "expectation") return true;
    const { helper, master, original, reply } = record;
    if (helper !== "" || master !== null) return true;
    if (isInverse(record)) return false;
    return !translated.has(reply.dst.join()) || !isSame(original.dst, reply.src);
  };
}

/** Whether the reply is the original the other way round. */
function isInverse({ protocol, original, reply }: Flow): boolean {
  if (!isSame(original.src, reply.dst) || !isSame(original.dst, reply.src)) return false;
  // Of ICMP the one port is the id, which comes back as it was, the other is type and code.
  if (protocol === ICMP || protocol === ICMPV6) return original.srcPort === reply.srcPort;
  return original.srcPort === reply.dstPort && original.dstPort === reply.srcPort;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
