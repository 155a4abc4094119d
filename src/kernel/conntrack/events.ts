/**
 * The kernel's stream of changes to its connection tracking table.
 *
 * The kernel never waits for a listener: when the receive buffer is full it leaves events out and
 * says so once, with ENOBUFS on the next read. From then on a mirror of the table may be wrong, and
 * only reading the table again repairs it: {@link ConntrackEvents.takeLoss} tells when. The buffer
 * is doubled each time, so that a burst is paid for once, up to a bound.
 *
 * Flows that were there before the first listener have no events where the sysctl
 * net.netfilter.nf_conntrack_events is 2 (the default since Linux 5.19): they end in silence.
 */
import { EVENT_BUFFER, EVENT_BUFFER_BYTES_MAX } from "../../config/limits.js";
import { type Netlink, native } from "../../platform/native.js";
import { errnoName, operation } from "../../platform/op-error.js";
import { GROUP } from "./constants.js";
import { readDatagram, type Visitor } from "./message.js";

const NETLINK_NETFILTER = 12;
/** Events are a datagram each. One that does not fit counts as lost. */
const SLOT_BYTES = 2048;
const SLOTS = 128;

/** Told of each change; the records hold only until the method returns. */
export type EventVisitor = Pick<Visitor, "flow" | "expectation">;

export interface EventSettings {
  readonly bufferBytes: number;
  readonly bufferBytesMax: number;
}

const DEFAULTS: EventSettings = {
  bufferBytes: EVENT_BUFFER.fallback as number,
  bufferBytesMax: EVENT_BUFFER_BYTES_MAX,
};

/** A subscription. Belongs to one thread. */
export class ConntrackEvents {
  /** Times that the kernel left events out. */
  overruns = 0;
  /** Events that could not be read; each also counts as a loss. */
  malformed = 0;
  /** Receive buffer that the kernel granted, its own overhead included. Bytes. */
  bufferBytes: number;
  private asked: number;
  private hasLost = false;
  /** Whether the socket was found empty since events were lost. */
  private isDrained = true;
  private readonly netlink: Netlink;
  private readonly bytes = Buffer.alloc(SLOTS * SLOT_BYTES);
  private readonly lengths = new Int32Array(SLOTS);

  /** @throws OpError, EPERM without CAP_NET_ADMIN */
  constructor(private readonly settings: EventSettings = DEFAULTS) {
    this.asked = settings.bufferBytes;
    this.netlink = operation("follow connection tracking", "needs CAP_NET_ADMIN", () => {
      const netlink = new native.Netlink(NETLINK_NETFILTER, this.asked);
      for (const group of Object.values(GROUP)) netlink.join(group);
      return netlink;
    });
    this.bufferBytes = this.netlink.resize(this.asked);
  }

  /**
   * Waits for events and tells one batch of them to `visitor`.
   * @param wakeFd an eventfd that ends the wait, or -1
   * @param timeoutMs longest wait, -1 for ever
   * @returns datagrams read; 0 on wake-up, time-out or loss
   */
  receive(visitor: EventVisitor, wakeFd: number, timeoutMs: number): number {
    const count = this.read(wakeFd, timeoutMs);
    const all: Visitor = {
      flow: (change, flow) => visitor.flow(change, flow),
      expectation: (change, record) => visitor.expectation(change, record),
      malformed: () => this.lose(),
      answer() {},
      done() {},
      interrupted() {},
    };
    for (let slot = 0; slot < count; slot++) {
      const length = this.lengths[slot] as number;
      if (length === 0) this.lose();
      else readDatagram(this.bytes, slot * SLOT_BYTES, length, all);
    }
    return count;
  }

  /**
   * Whether events were lost since the last call: the table must be read again. After the error the
   * kernel goes on to leave events out, and says nothing more of it, until the socket was empty
   * once (NETLINK_S_CONGESTED in net/netlink/af_netlink.c). What is read of the table before that
   * would lack them too, so a loss is told only then.
   */
  takeLoss(): boolean {
    const isOver = this.hasLost && this.isDrained;
    if (isOver) this.hasLost = false;
    return isOver;
  }

  close(): void {
    this.netlink.close();
  }

  private read(wakeFd: number, timeoutMs: number): number {
    const { bytes, lengths } = this;
    try {
      const count = this.netlink.receiveMany(bytes, lengths, SLOT_BYTES, wakeFd, timeoutMs);
      if (count === 0) this.isDrained = true;
      return count;
    } catch (error) {
      if (errnoName(error) !== "ENOBUFS") throw error;
      this.overruns++;
      this.hasLost = true;
      this.isDrained = false;
      this.grow();
      return 0;
    }
  }

  private lose(): void {
    this.malformed++;
    this.hasLost = true;
  }

  private grow(): void {
    if (this.asked >= this.settings.bufferBytesMax) return;
    this.asked = Math.min(this.asked * 2, this.settings.bufferBytesMax);
    this.bufferBytes = this.netlink.resize(this.asked);
  }
}
