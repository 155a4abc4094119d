/**
 * Flow replication as a reducer: kernel events, bodies of peers and ticks in, outputs out; no
 * clock, no sockets, no kernel. Times are milliseconds of CLOCK_BOOTTIME. due.ts says when to tick.
 *
 *      kernel events --> author --> table --> packer --> broadcast --> peers
 *      peers --> broadcast --> ops --> replica --> table --> kernel
 *
 * Every node sees every packet and drops foreign ones behind its conntrack, so a replica follows
 * its connection by itself: the wire needs births, ends and few changes, and a takeover moves no
 * flow.
 */
import { Broadcast, type Follower } from "../broadcast/broadcast.js";
import { isData, isUrgent } from "../frame/data.js";
import { KIND } from "../frame/kind.js";
import { isRepair, repairBuckets } from "../frame/repair.js";
import { FRAMES_PER_TICK, LAST_WORDS_MS, TABLE_FRAMES_PER_TICK } from "../limits.js";
import type { Member } from "../membership/view.js";
import type { Want } from "../output.js";
import type { Bitmap } from "../ranges/bitmap.js";
import { Acks } from "./acks.js";
import { Audit } from "./audit.js";
import { Author } from "./author.js";
import { DigestRounds } from "./digest-rounds.js";
import { type FlowHealth, healthOf } from "./health.js";
import { type Held, Hold } from "./hold.js";
import { Ledger } from "./ledger.js";
import type { FlowEvent, FlowOutput, KernelEvent } from "./output.js";
import { Packer } from "./packer.js";
import { Peers } from "./peers.js";
import { Readiness } from "./readiness.js";
import { Receiver } from "./receiver.js";
import type { Replicated } from "./record.js";
import { Replica } from "./replica.js";
import { Resync } from "./resync.js";
import { Sections } from "./sections.js";
import { Sender } from "./sender.js";
import type { FlowSettings } from "./settings.js";
import { Shelf } from "./shelf.js";
import type { Entry } from "./table.js";

export class FlowSync {
  readonly shelf: Shelf;
  readonly ledger: Ledger;
  readonly broadcast: Broadcast;
  readonly author: Author;
  readonly replica: Replica;
  readonly sections: Sections;
  readonly audit: Audit;
  readonly peers: Peers;
  readonly receiver: Receiver;
  readonly resync: Resync;
  readonly hold: Hold;
  private readonly packer: Packer;
  readonly rounds: DigestRounds;
  readonly acks: Acks;
  readonly readiness: Readiness;
  private readonly sender: Sender;
  tickedMs = Number.NEGATIVE_INFINITY;
  private outputs: FlowOutput[] = [];

  constructor(
    private readonly settings: FlowSettings,
    private now: number,
  ) {
    const { node, buckets, bodyBytesMax, holdMs } = settings;
    const out = (output: FlowOutput) => this.outputs.push(output);
    const tell = (event: FlowEvent) => out({ kind: "event", event });
    this.packer = new Packer(
      bodyBytesMax,
      (bytes, isUrgent) => this.broadcast.publish(bytes, this.now, isUrgent),
      () => this.broadcast.buffer.total,
    );
    this.ledger = new Ledger(node, buckets);
    this.shelf = new Shelf(settings, out, (entry, at) => this.onEvicted(entry, at));
    this.author = new Author(settings, this.shelf, this.ledger, this.packer);
    this.replica = new Replica(this.shelf, this.ledger, this.author);
    this.peers = new Peers(tell);
    const { packer, ledger, shelf, author, replica, peers } = this;
    this.receiver = new Receiver({ buckets, ledger, peers, replica, tell });
    this.broadcast = new Broadcast(settings, (body) => out({ kind: "send", body }), this.receiver);
    this.sections = new Sections(this.broadcast, shelf.table, ledger, packer);
    this.rounds = new DigestRounds(node, shelf.table, ledger, packer);
    const { broadcast, sections, rounds } = this;
    this.sender = new Sender({ broadcast, packer, author, rounds, sections, peers, replica, out });
    this.audit = new Audit(settings, shelf, ledger, author, (node) => broadcast.isDegraded(node));
    this.acks = new Acks(broadcast, peers, this.audit, out);
    this.resync = new Resync(broadcast, peers, this.audit, tell);
    const followers = () => broadcast.peers();
    this.readiness = new Readiness({ ledger, peers, residence: shelf.residence, followers, out });
    this.hold = new Hold({ holdMs, followers, sent: () => broadcast.buffer.total, out });
    this.audit.readAgain(now, false); // what the kernel has from before was told by no event
  }

  /** This node begins as a new incarnation, and knows of no peers. */
  onSelf(self: Member, now: number): FlowOutput[] {
    this.now = now;
    this.broadcast.restart(self);
    this.acks.restart(self);
    this.packer.clear();
    this.sections.clear();
    this.author.restart();
    this.peers.clear();
    this.hold.clear();
    this.readiness.forget();
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
    this.author.relays.collect(peer.node, now - LAST_WORDS_MS);
    this.hold.settle();
    return this.flush();
  }

  /** Takes a body of a live, compatible peer. */
  onBody(from: Member, body: Uint8Array, now: number): FlowOutput[] {
    this.now = now;
    if (isData(body) && isUrgent(body)) this.acks.hurry(now);
    if (!this.broadcast.onBody(from, body, now)) this.onOther(from, body);
    else if (isData(body)) this.acks.onFrames(now);
    return this.flush();
  }

  /** Replies are held until the peers have their flows; see Hold. */
  onHeld(held: readonly Held[], now: number): FlowOutput[] {
    this.now = now;
    const frames = held.map(({ record }) => record && this.author.tellNow(record, now));
    this.packer.flush();
    held.forEach(({ ticket }, index) => {
      this.hold.ask(ticket, frames[index] ?? null, now);
    });
    return this.flush();
  }

  /** Begins to ask all peers and the kernel for their tables again. */
  onResync(now: number): FlowOutput[] {
    this.now = now;
    this.resync.begin(now);
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
    this.audit.settle(now); // what came just now tells better of a bucket than its new owner
    const { came, went } = this.ledger.change(owned, epoch, now);
    this.author.onCame(came, now);
    this.author.onWent(went);
    this.audit.onWent(went, now);
    for (const bucket of came) this.replica.drifted.delete(bucket);
    this.rounds.announce(came, now);
    if (came.length + went.length > 0) this.sender.send(FRAMES_PER_TICK, now);
    return this.flush();
  }

  onEvents(events: readonly KernelEvent[], now: number): FlowOutput[] {
    this.audit.onEvents(events, now);
    return this.flush();
  }

  /** The kernel's whole table, as asked for by `dump`. */
  onDump(records: Iterable<Replicated>, now: number): FlowOutput[] {
    this.audit.onDump(records, now);
    return this.flush();
  }

  /** The kernel has dropped events (ENOBUFS), or was not listened to for a while. */
  onUnheard(isLoss: boolean, now: number): FlowOutput[] {
    this.audit.readAgain(now, isLoss);
    return this.flush();
  }

  onTick(now: number): FlowOutput[] {
    this.now = now;
    this.tickedMs = now;
    this.shelf.tombstones.expire(now);
    this.audit.onTick(now);
    this.peers.giveUp(this.broadcast.peers(), now);
    this.rounds.announce(this.ledger.insist(now), now);
    this.rounds.contradict(this.replica.outdated, now);
    const repaired = this.broadcast.onTick(now);
    this.sender.askRepairs(now);
    this.sender.send(Math.max(1, TABLE_FRAMES_PER_TICK - repaired), now);
    this.acks.onTick(now);
    this.hold.onTick(now);
    this.resync.onTick(now);
    this.readiness.tellReady();
    return this.onTurn(now);
  }

  /** Buckets are to be claimed from others. @param atMs goes back with the answer */
  onAsk(atMs: number): FlowOutput[] {
    this.readiness.answer(atMs);
    return this.flush();
  }

  /** Buckets whose flows are to be in the kernel, the claimed ones first; see Residence. */
  onWant({ claimed, planned, ticket }: Want, now: number): FlowOutput[] {
    this.shelf.residence?.want(claimed, planned, ticket, now);
    return this.onTurn(now);
  }

  /** Goes on with what is on its way into the kernel or out of it. */
  onTurn(now: number): FlowOutput[] {
    this.shelf.residence?.onTurn(now);
    this.readiness.tellUsable();
    return this.flush();
  }

  health(now: number): FlowHealth {
    return healthOf(this, now);
  }

  private onOther(from: Member, body: Uint8Array): void {
    const follower = this.broadcast.find(from) as Follower;
    if (body[0] === KIND.ack) {
      if (!this.acks.onAck(follower, body, this.now)) this.receiver.malformed += 1;
      this.hold.settle();
    } else if (body[0] !== KIND.repair) this.receiver.malformed += 1;
    else if (this.broadcast.isForMe(body, isRepair)) {
      this.sections.ask(repairBuckets(body).filter((bucket) => bucket < this.settings.buckets));
    }
  }

  private onEvicted(entry: Entry, now: number): void {
    if (this.ledger.owns(entry.bucket)) this.author.onEvicted(entry, now);
    else this.shelf.kernel("delete", entry.record);
  }

  private flush(): FlowOutput[] {
    this.readiness.tellSynced();
    const outputs = this.outputs;
    this.outputs = [];
    return outputs;
  }
}
