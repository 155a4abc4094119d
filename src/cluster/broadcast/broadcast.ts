/**
 * Reliable broadcast: what a sender publishes arrives everywhere in its order, once, or the
 * receiver is told that it has lost the thread.
 *
 * Problem: acknowledgements of every receiver for every frame would cost more than the frames, and
 * one slow receiver would hold up all. A frame lost at the end would be noticed by nobody.
 *
 * Rule: receivers ask for what they miss (NAK), and heartbeats tell how far the sender has come.
 * The sender keeps a bounded number of frames. Who needs an older one, or knows nothing of the
 * stream yet, asks for a start (RESYNC): the sender names a frame (START) and sends its whole table
 * as ordinary frames from there on. So the table and the changes made meanwhile come in one order,
 * and no second mechanism has to fit them together.
 *
 *      A  ... 7  8  x  10 ------------------> B holds 10
 *      A  <------------------------- NAK 9    after 5 ms
 *      A  9 --------------------------------> B delivers 9, 10
 *
 *      A  <------------------ RESYNC ticket   C knows nothing of A
 *      A  START ticket, 11 -----------------> C follows from 11 on
 *      A  11 12 13 (its table) 14 ... ------> everybody
 */

import { addressee } from "../frame/address.js";
import { dataPayload, dataSequence, isData } from "../frame/data.js";
import { KIND } from "../frame/kind.js";
import { encodeNak, isNak, nakRuns } from "../frame/nak.js";
import { encodeResync, isResync, resyncTicket } from "../frame/resync.js";
import { isStart, readStart } from "../frame/start.js";
import { RESYNC_REPEAT_MS } from "../limits.js";
import type { Member } from "../membership/view.js";
import { type Follower, Followers, newFollower } from "./follower.js";
import { Order } from "./order.js";
import { Repairs } from "./repairs.js";
import { SendBuffer } from "./send-buffer.js";
import { Starts } from "./starts.js";

export type { Follower } from "./follower.js";

/** What the layer above does with it. */
export interface Upper {
  deliver(peer: Follower, payload: Uint8Array, now: number): void;
  /** The stream of `peer` can be followed from `base` on; its table comes with it. */
  onStart(peer: Follower, base: number): void;
  /** Changes of `peer` were missed and will not come; its table is asked for. */
  onOutOfSync(peer: Follower, now: number): void;
}

export interface BroadcastSettings {
  /** Length of the send buffer, a power of two; the same on all nodes. */
  readonly frames: number;
  /** An unpredictable u32. */
  random32(): number;
}

export class Broadcast {
  readonly counters = { duplicates: 0, notHeld: 0, malformed: 0, notMine: 0, repairs: 0 };
  readonly starts = new Starts();
  readonly order = new Order();
  buffer: SendBuffer;
  private readonly followers = new Followers();
  readonly repairs = new Repairs();
  self: Member = { node: 0, incarnation: 0n };

  constructor(
    private readonly settings: BroadcastSettings,
    private readonly send: (body: Uint8Array) => void,
    private readonly upper: Upper,
  ) {
    this.buffer = new SendBuffer(settings.random32(), settings.frames);
  }

  /** A new incarnation: a new stream, and no peers. */
  restart(self: Member): void {
    this.self = self;
    const { frames } = this.settings;
    this.buffer = new SendBuffer(this.settings.random32(), frames, this.buffer.total);
    this.followers.clear();
    this.starts.clear();
  }

  /** A peer is there. One that only was out of sight goes on where it was, if its buffer allows. */
  peerUp(peer: Member, now: number): Follower {
    const known = this.followers.get(peer.node);
    const follower = known?.incarnation === peer.incarnation ? known : this.meet(peer);
    this.followers.set(follower, true);
    follower.heardMs = now;
    return follower;
  }

  peerDown(peer: Member): void {
    const follower = this.find(peer);
    if (follower) this.followers.set(follower, false);
    this.starts.forget(peer.node);
  }

  /** The peers that are there, by id. */
  peers(): readonly Follower[] {
    return this.followers.up();
  }

  /** Whether a peer says that what it tells may be out of date. */
  isDegraded(node: number): boolean {
    const follower = this.followers.get(node);
    return follower?.isUp === true && follower.degraded !== 0;
  }

  find(peer: Member): Follower | undefined {
    const follower = this.followers.get(peer.node);
    return follower?.incarnation === peer.incarnation ? follower : undefined;
  }

  /** Sends the next frame of our stream. @param isUrgent peers are to acknowledge it at once */
  publish(payload: Uint8Array, now: number, isUrgent = false): void {
    this.send(this.buffer.push(payload, now, isUrgent));
  }

  /** Forgets how far the streams of all peers have come, and asks for their tables again. */
  resync(now: number): void {
    for (const follower of this.peers()) this.refollow(follower, now);
  }

  /** Lets all who asked follow from the next frame on, and returns its number. */
  begin(): number {
    for (const body of this.starts.answer(this.buffer.next)) this.send(body);
    return this.buffer.next;
  }

  /** Takes a body of a live peer; false when it is of a kind that this layer does not know. */
  onBody(from: Member, body: Uint8Array, now: number): boolean {
    const follower = this.find(from);
    if (!follower?.isUp) return true; // of an incarnation that has ended
    switch (body[0]) {
      case KIND.data:
        this.onData(follower, body, now);
        return true;
      case KIND.nak:
        if (this.isForMe(body, isNak)) this.onNak(follower, body, now);
        return true;
      case KIND.resync:
        if (this.isForMe(body, isResync)) this.onResync(follower, body);
        return true;
      case KIND.start:
        if (this.isForMe(body, isStart)) this.onStart(follower, body, now);
        return true;
      default:
        return false;
    }
  }

  /**
   * A heartbeat says how far the peer's stream has come: this is how a lost last frame is noticed.
   */
  onSent(from: Member, sequence: number, now: number): void {
    const follower = this.find(from);
    if (follower && !follower.stream.hear(sequence, now)) this.loseThread(follower, now);
  }

  /** Sends repairs, NAKs and RESYNCs that are due; returns how many frames were repaired. */
  onTick(now: number): number {
    const repairs = this.repairs.take(this.buffer, now);
    this.counters.repairs += repairs.length;
    for (const body of repairs) this.send(body);
    for (const follower of this.peers()) this.askFor(follower, now);
    return repairs.length;
  }

  /** Whether a body is well-formed and meant for this incarnation; counts what is not. */
  isForMe(body: Uint8Array, isWellFormed: (body: Uint8Array) => boolean): boolean {
    if (!isWellFormed(body)) {
      this.counters.malformed += 1;
      return false;
    }
    const { node, incarnation } = addressee(body);
    const isMine = node === this.self.node && incarnation === this.self.incarnation;
    if (!isMine) this.counters.notMine += 1;
    return isMine;
  }

  private onData(follower: Follower, body: Uint8Array, now: number): void {
    if (!isData(body)) {
      this.counters.malformed += 1;
      return;
    }
    const taking = follower.stream.take(dataSequence(body), body, now);
    if (taking === "outOfSync") return this.loseThread(follower, now);
    if (taking === "duplicate") this.counters.duplicates += 1;
    if (taking === "notHeld") this.counters.notHeld += 1;
    if (taking === "taken") follower.heardMs = now;
    this.deliver(follower, now);
  }

  private onNak(follower: Follower, body: Uint8Array, now: number): void {
    follower.naksHeard += 1;
    this.repairs.ask(follower.node, nakRuns(body), this.buffer, now);
  }

  private onResync(follower: Follower, body: Uint8Array): void {
    const answer = this.starts.ask(follower, resyncTicket(body), this.buffer);
    if (answer) this.send(answer);
  }

  private onStart(follower: Follower, body: Uint8Array, now: number): void {
    const { ticket, sequence } = readStart(body);
    if (follower.stream.isFollowing || ticket !== follower.ticket) return;
    follower.stream.begin(sequence);
    this.order.onStart(follower, sequence);
    this.upper.onStart(follower, sequence);
    this.deliver(follower, now);
  }

  private deliver(follower: Follower, now: number): void {
    for (let body = follower.stream.next(); body; body = follower.stream.next()) {
      this.order.onDelivered(follower, dataSequence(body));
      this.upper.deliver(follower, dataPayload(body), now);
    }
  }

  private loseThread(follower: Follower, now: number): void {
    follower.outOfSync += 1;
    this.refollow(follower, now);
  }

  private refollow(follower: Follower, now: number): void {
    follower.stream.drop();
    this.order.onLost(follower);
    follower.ticket = this.settings.random32();
    follower.resyncMs = Number.NEGATIVE_INFINITY;
    this.upper.onOutOfSync(follower, now);
  }

  private meet(peer: Member): Follower {
    const follower = newFollower(peer, this.settings.frames);
    follower.ticket = this.settings.random32();
    return follower;
  }

  private askFor(follower: Follower, now: number): void {
    const { stream, ticket } = follower;
    if (!stream.isFollowing && now >= follower.resyncMs) {
      follower.resyncMs = now + RESYNC_REPEAT_MS;
      this.send(encodeResync(follower, ticket));
    }
    const runs = stream.naks(now);
    if (runs.length === 0) return;
    follower.naksSent += 1;
    this.send(encodeNak(follower, runs));
  }
}
