/**
 * Flow replication as a reducer: kernel events, bodies of peers and ticks in, outputs out; no
 * clock, no sockets, no kernel. Times are milliseconds of CLOCK_BOOTTIME. Tick about every 10 ms.
 *
 *      kernel events --> author --> table --> packer --> broadcast --> peers
 *      peers --> broadcast --> ops --> replica --> table --> kernel
 *
 * Every node sees every packet and drops foreign ones behind its conntrack, so a replica follows
 * its connection by itself: the wire needs births, ends and few changes, and a takeover moves no
 * flow.
 */
import { Broadcast, type Follower } from "../broadcast/broadcast.js";
import { KIND } from "../frame/kind.js";
import { encodeRepair, isRepair, repairBuckets } from "../frame/repair.js";
import { FRAMES_PER_TICK, LAST_WORDS_MS, TABLE_FRAMES_PER_TICK } from "../limits.js";
import type { Member } from "../membership/view.js";
import type { Bitmap } from "../ranges/bitmap.js";
import { Audit } from "./audit.js";
import { Author } from "./author.js";
import { DigestRounds } from "./digest-rounds.js";
import { type FlowHealth, healthOf } from "./health.js";
import { Ledger } from "./ledger.js";
import { type Op, readOps } from "./ops.js";
import type { FlowEvent, FlowOutput } from "./output.js";
import { Packer } from "./packer.js";
import { Peers } from "./peers.js";
import { Readiness } from "./readiness.js";
import type { Replicated } from "./record.js";
import { Replica } from "./replica.js";
import { Sections } from "./sections.js";
import type { FlowSettings } from "./settings.js";
import { Shelf } from "./shelf.js";
import type { Entry } from "./table.js";

/** What the kernel tells: `gone` is a DESTROY, everything else is `alive`. */
export interface KernelEvent {
  readonly kind: "alive" | "gone";
  readonly record: Replicated;
}

export class FlowSync {
  readonly shelf: Shelf;
  readonly ledger: Ledger;
  readonly broadcast: Broadcast;
  readonly author: Author;
  readonly replica: Replica;
  readonly sections: Sections;
  readonly audit: Audit;
  readonly peers = new Peers((event) => this.tell(event));
  malformed = 0;
  private readonly packer: Packer;
  private readonly rounds: DigestRounds;
  private readonly readiness: Readiness;
  private outputs: FlowOutput[] = [];
  private isSynced: boolean | null = null;
  private now: number;

  constructor(
    private readonly settings: FlowSettings,
    now: number,
  ) {
    this.now = now;
    const push = (output: FlowOutput) => this.outputs.push(output);
    this.broadcast = new Broadcast(settings, (body) => push({ kind: "send", body }), this);
    this.packer = new Packer(settings.bodyBytesMax, (bytes) =>
      this.broadcast.publish(bytes, this.now),
    );
    this.ledger = new Ledger(settings.node, settings.buckets);
    this.shelf = new Shelf(settings, push, (entry, at) => this.onEvicted(entry, at));
    this.author = new Author(settings, this.shelf, this.ledger, this.packer);
    this.replica = new Replica(this.shelf, this.ledger, this.author);
    const { table } = this.shelf;
    this.sections = new Sections(this.broadcast, table, this.ledger, this.packer);
    this.rounds = new DigestRounds(settings.node, table, this.ledger, this.packer);
    this.audit = new Audit(this.shelf, this.ledger, this.author);
    this.readiness = new Readiness(this.ledger, this.peers);
    this.audit.onLoss(now); // what the kernel has from before was told by no event
  }

  /** This node begins as a new incarnation, and knows of no peers. */
  onSelf(self: Member, now: number): FlowOutput[] {
    this.now = now;
    this.broadcast.restart(self);
    this.packer.clear();
    this.sections.clear();
    this.author.restart();
    this.peers.clear();
    return this.flush();
  }

  onPeerUp(peer: Member, now: number): FlowOutput[] {
    this.now = now;
    this.peers.welcome(this.broadcast.peerUp(peer, now), now);
    return this.flush();
  }

  /** The peer is dead, has left, or is out of sight. */
  onPeerDown(peer: Member, now: number): FlowOutput[] {
    this.now = now;
    this.broadcast.peerDown(peer);
    this.author.relay(peer.node, now - LAST_WORDS_MS);
    return this.flush();
  }

  /** Takes a body of a live, compatible peer. */
  onBody(from: Member, body: Uint8Array, now: number): FlowOutput[] {
    this.now = now;
    if (!this.broadcast.onBody(from, body, now)) this.onOther(body);
    return this.flush();
  }

  /** Takes what a heartbeat says: the newest frame that the peer has sent. */
  onSent(from: Member, sequence: number, now: number): FlowOutput[] {
    this.broadcast.onSent(from, sequence, now);
    return this.flush();
  }

  /** Takes the leased range. @param epoch of the view it was leased under */
  onRange(owned: Bitmap, epoch: number, now: number): FlowOutput[] {
    this.now = now;
    const { came, went } = this.ledger.change(owned, epoch, now);
    this.author.onCame(came);
    this.author.onWent(went);
    for (const bucket of came) this.replica.drifted.delete(bucket);
    this.rounds.announce(came, now);
    if (came.length + went.length > 0) this.send(FRAMES_PER_TICK, now);
    return this.flush();
  }

  onEvents(events: readonly KernelEvent[], now: number): FlowOutput[] {
    for (const { kind, record } of events) {
      if (kind === "alive") this.author.onAlive(record, now);
      else {
        this.audit.onGone(record);
        this.author.onGone(record, now);
      }
    }
    return this.flush();
  }

  /** The kernel's whole table, as asked for by `dump`. */
  onDump(records: readonly Replicated[], now: number): FlowOutput[] {
    this.audit.onDump(records, now);
    return this.flush();
  }

  /** The kernel has dropped events (ENOBUFS). */
  onEventLoss(now: number): FlowOutput[] {
    this.tell({ name: "eventsLost" });
    this.audit.onLoss(now);
    return this.flush();
  }

  onTick(now: number): FlowOutput[] {
    this.now = now;
    this.shelf.tombstones.expire(now);
    this.audit.onTick(now);
    this.peers.giveUp(this.broadcast.peers(), now);
    this.rounds.announce(this.ledger.insist(now), now);
    this.rounds.contradict(this.replica.outdated, now);
    const repaired = this.broadcast.onTick(now);
    this.askRepairs(now);
    this.send(Math.max(1, TABLE_FRAMES_PER_TICK - repaired), now);
    const buckets = this.readiness.change(this.broadcast.peers());
    if (buckets) this.outputs.push({ kind: "ready", buckets });
    return this.flush();
  }

  health(now: number): FlowHealth {
    return healthOf(this, now);
  }

  /** From broadcast: the next payload of a peer, in order. */
  deliver(peer: Follower, payload: Uint8Array, now: number): void {
    const ops = readOps(payload, this.settings.buckets);
    if (!ops) {
      this.malformed += 1; // what it said is found missing by the digests
      return;
    }
    for (const op of ops) this.onOp(peer, op, now);
  }

  /** From broadcast: a peer's stream is followed from `base` on. */
  onStart(peer: Follower, base: number): void {
    this.peers.onStart(peer, base);
  }

  /** From broadcast: changes of a peer were missed; its table will be asked for. */
  onOutOfSync(peer: Follower): void {
    this.ledger.distrust(peer.node);
    this.peers.onOutOfSync(peer);
  }

  private onOp(peer: Follower, op: Op, now: number): void {
    const flows = this.peers.of(peer);
    if (!flows.isComplete) flows.movedMs = now;
    if (op.op === "done") this.peers.onDone(peer, op.start);
    else if (op.op === "table" && op.start === flows.base) flows.tableFlows = op.flows;
    else if (this.replica.onOp(peer, flows, op, now) && op.op === "digest") {
      const { node, incarnation } = peer;
      this.tell({ name: "drift", peer: { node, incarnation }, bucket: op.bucket });
    }
  }

  private onOther(body: Uint8Array): void {
    if (body[0] !== KIND.repair) this.malformed += 1;
    else if (this.broadcast.isForMe(body, isRepair)) {
      const { buckets } = this.settings;
      this.sections.ask(repairBuckets(body).filter((bucket) => bucket < buckets));
    }
  }

  private onEvicted(entry: Entry, now: number): void {
    if (this.ledger.owns(entry.record.bucket)) this.author.onEvicted(entry, now);
    else this.shelf.kernel("delete", entry.record);
  }

  /** Changes first, then digests, then tables: what is new must not wait for what is old. */
  private send(tableFrames: number, now: number): void {
    this.packer.frames = 0;
    this.author.tell(FRAMES_PER_TICK, now);
    this.rounds.fill(FRAMES_PER_TICK, now);
    this.sections.fill(this.packer.frames + tableFrames);
    this.packer.flush();
  }

  private askRepairs(now: number): void {
    if (this.replica.drifted.size === 0) return;
    for (const peer of this.broadcast.peers()) {
      const buckets = this.replica.driftedOf(peer.node);
      if (buckets.length === 0 || !this.peers.mayAsk(peer, now)) continue;
      this.outputs.push({ kind: "send", body: encodeRepair(peer, buckets) });
    }
  }

  private tell(event: FlowEvent): void {
    this.outputs.push({ kind: "event", event });
  }

  private flush(): FlowOutput[] {
    const isSynced = this.peers.areSettled(this.broadcast.peers());
    if (isSynced !== this.isSynced) this.outputs.push({ kind: "synced", isSynced });
    this.isSynced = isSynced;
    const outputs = this.outputs;
    this.outputs = [];
    return outputs;
  }
}
