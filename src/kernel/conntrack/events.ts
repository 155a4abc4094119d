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
import { bootMs } from "../../platform/clock.js";
import { type Netlink, native, type Watch } from "../../platform/native.js";
import { errnoName, operation } from "../../platform/op-error.js";
import { readSysctl } from "../sysctl.js";
import { GROUP } from "./constants.js";
import { readDatagram, type Visitor } from "./message.js";
import { Sieve, type SieveSettings } from "./sieve.js";

/** {@link ALWAYS}: all flows have events, whoever listened when they began. */
export const EVENTS_SYSCTL = "net.netfilter.nf_conntrack_events";
export const ALWAYS = "1";

const NETLINK_NETFILTER = 12;
/** Events are a datagram each. One that does not fit counts as lost. */
const SLOT_BYTES = 2048;
const SLOTS = 128;

const GROUPS = Object.values(GROUP);

/** Told of each change; the records hold only until the method returns. */
export type EventVisitor = Pick<Visitor, "flow" | "expectation">;

export interface EventSettings {
  readonly bufferBytes: number;
  readonly bufferBytesMax: number;
  /** How newborn flows are kept back; null: not at all. */
  readonly sieve: SieveSettings | null;
}

const DEFAULTS: EventSettings = {
  bufferBytes: EVENT_BUFFER.fallback as number,
  bufferBytesMax: EVENT_BUFFER_BYTES_MAX,
  sieve: null,
};

const NOBODY: Visitor = {
  flow() {},
  expectation() {},
  malformed() {},
  answer() {},
  done() {},
  interrupted() {},
};

/** A subscription. Belongs to one thread. */
export class ConntrackEvents {
  /** Times that the kernel left events out. */
  overruns = 0;
  /** Events that could not be read; each also counts as a loss. */
  malformed = 0;
  /** Receive buffer that the kernel granted, its own overhead included. Bytes. */
  bufferBytes: number;
  private readonly settings: EventSettings;
  private asked: number;
  private hasLost = false;
  /** Whether the socket was found empty since events were lost. */
  private isDrained = true;
  private readonly netlink: Netlink;
  private readonly bytes = Buffer.alloc(SLOTS * SLOT_BYTES);
  private readonly lengths = new Int32Array(SLOTS);
  private readonly sieve: Sieve | null;
  /** Whom {@link receive} tells, and what it is to a decoder. */
  private listener: EventVisitor | null = null;
  private visitor: Visitor = NOBODY;

  /** @throws OpError, EPERM without CAP_NET_ADMIN */
  constructor(settings: Partial<EventSettings> = {}) {
    this.settings = { ...DEFAULTS, ...settings };
    const { bufferBytes, sieve } = this.settings;
    this.asked = bufferBytes;
    const decode = (bytes: Buffer, at: number, length: number) =>
      readDatagram(bytes, at, length, this.visitor);
    this.sieve = sieve && new Sieve(sieve, decode);
    this.netlink = operation("follow connection tracking", "needs CAP_NET_ADMIN", () => {
      const netlink = new native.Netlink(NETLINK_NETFILTER, this.asked);
      for (const group of GROUPS) netlink.join(group);
      return netlink;
    });
    this.bufferBytes = this.netlink.resize(this.asked);
  }

  /** When {@link receive} has something to tell although no event comes; Infinity: never. */
  get dueMs(): number {
    return this.hasLost
      ? Number.NEGATIVE_INFINITY
      : (this.sieve?.dueMs ?? Number.POSITIVE_INFINITY);
  }

  /** Has `onReadable` called when events have come; see Watch. */
  watch(onReadable: () => void): Watch {
    return new native.Watch(this.netlink.fd, onReadable);
  }

  /**
   * Ends the stream, or begins it again: without a listener the kernel makes no events, which cost
   * it as much as their reader. What has changed in between only the table tells. Where flows that
   * begin meanwhile would never have events, it does not end.
   * @returns whether the stream goes on
   */
  attend(isAttending: boolean): boolean {
    if (!isAttending && readSysctl(EVENTS_SYSCTL) !== ALWAYS) return true;
    for (const group of GROUPS) {
      if (isAttending) this.netlink.join(group);
      else this.netlink.leave(group);
    }
    return isAttending;
  }

  /** Flows that nobody was told of, since they ended at once. */
  get coalesced(): number {
    return this.sieve?.coalesced ?? 0;
  }

  /**
   * Waits for events and tells one batch of them to `visitor`, those that were kept back before.
   * @param wakeFd an eventfd that ends the wait, or -1
   * @param timeoutMs longest wait, -1 for ever
   * @returns datagrams read; 0 on wake-up, time-out or loss
   */
  receive(visitor: EventVisitor, wakeFd: number, timeoutMs: number): number {
    const { bytes, lengths, sieve } = this;
    this.listen(visitor);
    const count = this.read(wakeFd, timeoutMs);
    const now = bootMs();
    sieve?.release(now);
    for (let slot = 0; slot < count; slot++) {
      const [at, length] = [slot * SLOT_BYTES, lengths[slot] as number];
      if (length === 0) this.lose();
      else if (sieve === null) readDatagram(bytes, at, length, this.visitor);
      else sieve.offer(bytes, at, length, now);
    }
    return count;
  }

  /** From now on each event is told when it comes, first what was kept back; or no longer so. */
  tellAll(visitor: EventVisitor, isAll: boolean): void {
    this.listen(visitor);
    this.sieve?.open(isAll);
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

  private listen(visitor: EventVisitor): void {
    if (visitor === this.listener) return;
    this.listener = visitor;
    this.visitor = {
      ...NOBODY,
      flow: (change, flow) => visitor.flow(change, flow),
      expectation: (change, record) => visitor.expectation(change, record),
      malformed: () => this.lose(),
    };
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
