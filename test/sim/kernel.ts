/**
 * The kernel of a machine, as far as a node relies on it: connection tracking with its events and
 * dumps, and the set of leased buckets whose elements time out by themselves. It outlives the
 * process, but not the machine.
 *
 *      packet --> track (state, time-out) --> leased? --> queue --> verdict --> leased? --> confirm
 */
import type { KernelEvent, KernelOp } from "../../src/cluster/flows/output.js";
import type { Flow, FlowState } from "../../src/cluster/flows/record.js";
import { STATUS, timeoutClass, timeoutSeconds } from "../../src/cluster/flows/record.js";
import { type Bitmap, emptyBitmap, hasBucket } from "../../src/cluster/ranges/bitmap.js";
import type { Agenda } from "./agenda.js";
import type { Connection, Packet } from "./connection.js";
import { follow } from "./following.js";

/** Seconds until an entry without packets is forgotten; as sysctls would have it for a test. */
const TIMEOUT_S: Record<FlowState, number> = {
  none: 45,
  opening: 60,
  established: 1200,
  closing: 15,
  over: 6,
};
const TIMEOUT_CLASS = Object.fromEntries(
  Object.entries(TIMEOUT_S).map(([state, seconds]) => [state, timeoutClass(seconds)]),
) as Record<FlowState, number>;
/** A UDP flow without a reply. */
const UNREPLIED_S = 10;
const EXPIRY_MS = 1000;

export interface Entry {
  readonly connection: Connection;
  record: Flow;
  /** Whether an opening has been answered, here or, of a replica, elsewhere (SYN_RECV). */
  isAnswered: boolean;
  untilMs: number;
  /** When a packet that passed opened it here; NaN: it is a replica. */
  readonly letInMs: number;
}

export class Kernel {
  readonly entries = new Map<string, Entry>();
  /** Translated ports in use. */
  private readonly ports = new Map<number, Entry>();
  private events: KernelEvent[] = [];
  private hasLostEvents = false;
  /** Whether somebody listens to events, and whether they are all lost on the way. */
  isHeard = false;
  isDeaf = false;
  dumpMs = 20;
  /** Called with each event that somebody may hear. */
  onEvent: () => void = () => {};
  /** Replicas refused since another flow has their translated tuple. */
  clashes = 0;
  private leased: Bitmap;
  private leasedUntilMs = 0;
  private sweptMs = 0;

  constructor(
    private readonly agenda: Agenda,
    private readonly buckets: number,
    private readonly eventsMax: number,
    private readonly connectionOf: (record: Flow) => Connection | undefined,
  ) {
    this.leased = emptyBitmap(buckets);
  }

  /** Power loss. */
  reset(): void {
    this.entries.clear();
    this.ports.clear();
    this.silence();
    this.lease(emptyBitmap(this.buckets), 0);
  }

  /** Leases exactly `owned` for `ms`; the time-out fires a little late, as nft's does. */
  lease(owned: Bitmap, ms: number): void {
    this.leased = owned;
    this.leasedUntilMs = this.agenda.now + ms;
  }

  /** Adds the time for which the whole machine slept: the kernel's timers do not count it. */
  sleep(ms: number): void {
    this.leasedUntilMs += ms;
    for (const entry of this.entries.values()) entry.untilMs += ms;
  }

  leases(bucket: number): boolean {
    return this.agenda.now < this.leasedUntilMs && hasBucket(this.leased, bucket);
  }

  /** The entry that a packet belongs to, moved on by it; null: there is none, or it is INVALID. */
  track(packet: Packet): Entry | null {
    const { connection, isReply } = packet;
    const entry =
      isReply && connection.isTranslated
        ? this.ports.get(packet.port)
        : this.entries.get(connection.key);
    if (!entry || entry.connection !== connection) return null;
    if (entry.untilMs <= this.agenda.now) {
      this.timeOut(entry);
      return null;
    }
    return this.moveOn(entry, packet) ? entry : null;
  }

  /** A packet that opens a flow was accepted. */
  confirm(packet: Packet, port: number): void {
    const { connection } = packet;
    const record = told(connection.record(port));
    const letInMs = this.agenda.now;
    const entry = { connection, record, isAnswered: false, untilMs: 0, letInMs };
    this.touch(entry);
    this.insert(entry);
    this.tell("alive", entry.record);
  }

  isFree(port: number): boolean {
    return !this.ports.has(port);
  }

  /** Carries out what replication wants, as KernelFlows does. */
  carryOut(op: KernelOp, record: Flow): void {
    const connection = this.connectionOf(record);
    if (!connection) throw new Error("a replica of a flow that never was");
    const known = this.entries.get(connection.key);
    const untilMs = this.agenda.now + timeoutSeconds(record.timeoutClass) * 1000;
    if (op === "delete") {
      if (known) this.forget(known);
    } else if (known) {
      const status = known.record.status | record.status;
      known.record = told({ ...known.record, status, state: record.state, mark: record.mark });
      known.isAnswered = true;
      known.untilMs = untilMs;
      this.tell("alive", known.record);
    } else if (op === "create") {
      if (connection.isTranslated && !this.isFree(record.reply.dstPort)) {
        this.clashes += 1;
        this.tell("gone", told(record));
        return;
      }
      const letInMs = Number.NaN;
      const entry = { connection, record: told(record), isAnswered: true, untilMs, letInMs };
      this.insert(entry);
      this.tell("alive", entry.record);
    }
  }

  /** Drops what has timed out; cheap enough to be asked often. */
  expire(): void {
    if (this.agenda.now - this.sweptMs < EXPIRY_MS) return;
    this.sweptMs = this.agenda.now;
    for (const entry of this.entries.values()) {
      if (entry.untilMs <= this.agenda.now) this.timeOut(entry);
    }
  }

  /** Entries of one of `parts` pieces of the table, as a dump tells of them. */
  part(part: number, parts: number): Flow[] {
    const found: Flow[] = [];
    for (const { connection, record } of this.entries.values()) {
      if (connection.index % parts === part) found.push(record);
    }
    return found;
  }

  readEvents(): KernelEvent[] {
    if (this.events.length === 0) return this.events;
    const events = this.events;
    this.events = [];
    return events;
  }

  takeLoss(): boolean {
    const has = this.hasLostEvents;
    this.hasLostEvents = false;
    return has;
  }

  /** Nobody listens any more. */
  silence(): void {
    this.events = [];
    this.hasLostEvents = false;
    this.isHeard = false;
    this.onEvent = () => {};
  }

  private moveOn(entry: Entry, packet: Packet): boolean {
    const { record } = entry;
    const progress = follow(record, entry.isAnswered, packet);
    if (!progress) return false;
    const { state, status, isAnswered, isRefreshed } = progress;
    const isNews = state !== record.state || status !== record.status;
    if (isNews) entry.record = told({ ...record, state, status });
    entry.isAnswered = isAnswered;
    if (isRefreshed) this.touch(entry);
    if (isNews) this.tell("alive", entry.record);
    return true;
  }

  private touch(entry: Entry): void {
    const { state, status } = entry.record;
    const isUnreplied = state === "none" && (status & STATUS.SEEN_REPLY) === 0;
    const seconds = isUnreplied ? UNREPLIED_S : TIMEOUT_S[state];
    entry.untilMs = this.agenda.now + seconds * 1000;
  }

  private insert(entry: Entry): void {
    this.entries.set(entry.connection.key, entry);
    if (entry.connection.isTranslated) this.ports.set(entry.record.reply.dstPort, entry);
  }

  private timeOut(entry: Entry): void {
    entry.connection.timedOutMs = this.agenda.now;
    this.forget(entry);
  }

  private forget(entry: Entry): void {
    this.entries.delete(entry.connection.key);
    if (entry.connection.isTranslated) this.ports.delete(entry.record.reply.dstPort);
    this.tell("gone", entry.record);
  }

  private tell(kind: KernelEvent["kind"], record: Flow): void {
    if (!this.isHeard) return;
    if (this.isDeaf || this.events.length >= this.eventsMax) {
      this.hasLostEvents = true;
      return;
    }
    this.events.push({ kind, record });
    this.onEvent();
  }
}

/** A record as the kernel keeps it and tells of it: with the time-out of its state. */
function told(record: Flow): Flow {
  const known = TIMEOUT_CLASS[record.state];
  return record.timeoutClass === known ? record : { ...record, timeoutClass: known };
}
