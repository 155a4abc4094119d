/**
 * What peers are told of how this node follows them, and what they say of how they follow it.
 *
 * A receiver asks for what it lacks, so repair needs no acknowledgements. They are for people (who
 * is behind whom, in which direction), for `flows` (who has this flow), and for the hold, which
 * waits for them.
 */
import type { Broadcast, Follower } from "../broadcast/broadcast.js";
import { advance } from "../broadcast/sequence.js";
import { encodeAck, type Followed, isAck, readAckHead, readFollowed } from "../frame/ack.js";
import { ACK_EAGER_MS, ACK_MS, ACK_REST_MS } from "../limits.js";
import type { Member } from "../membership/view.js";
import type { Audit } from "./audit.js";
import type { FlowEvent, FlowOutput } from "./output.js";
import type { Peers } from "./peers.js";

export class Acks {
  private self: Member = { node: 0, incarnation: 0n };
  private number = 0;
  /** When the next one is due, if nothing changes. */
  private restMs = 0;
  private sentMs = Number.NEGATIVE_INFINITY;
  /** What was said last, but for how far each stream has come. */
  private condition = "";
  private eagerUntilMs = Number.NEGATIVE_INFINITY;
  private toldReasons = 0;
  private toldOnsets = 0;

  constructor(
    private readonly broadcast: Broadcast,
    private readonly peers: Peers,
    private readonly audit: Audit,
    private readonly out: (output: FlowOutput) => void,
  ) {}

  /** A new incarnation, which nobody has heard of yet. */
  restart(self: Member): void {
    this.self = self;
    this.number = 0;
    this.toldReasons = 0;
  }

  /** A frame that somebody waits for has come: what follows is acknowledged at once for a while. */
  hurry(now: number): void {
    this.eagerUntilMs = now + ACK_EAGER_MS;
  }

  /** Frames came; if somebody waits, he is told how far we are. */
  onFrames(now: number): void {
    if (now < this.eagerUntilMs) this.send(now);
  }

  /** When the next one is due, as things stand. */
  get dueMs(): number {
    const { degraded, onsets } = this.audit;
    const isNews = (degraded?.reasons ?? 0) !== this.toldReasons || onsets !== this.toldOnsets;
    if (isNews) return Number.NEGATIVE_INFINITY;
    const hasChanged = this.conditionNow() !== this.condition;
    return hasChanged ? Math.min(this.restMs, this.sentMs + ACK_MS) : this.restMs;
  }

  onTick(now: number): void {
    if (now >= this.dueMs) this.send(now);
  }

  /** Takes an ACK of a live peer; false when it is malformed. */
  onAck(from: Follower, body: Uint8Array, now: number): boolean {
    if (!isAck(body)) return false;
    const ack = readAckHead(body);
    if (ack.number <= from.ackNumber) return true; // overtaken by a newer one
    from.ackNumber = ack.number;
    from.ackMs = now;
    const mine = readFollowed(body, this.self);
    from.acknowledged = mine ? this.acknowledged(mine) : null;
    this.noteCondition(from, ack.reasons, now - ack.degradedMs);
    return true;
  }

  private acknowledged({ isFollowing, isComplete, lag, next }: Followed) {
    const frames = isFollowing ? this.broadcast.buffer.countBefore(next) : 0;
    return { isFollowing, isComplete, lag, frames };
  }

  private noteCondition(from: Follower, reasons: number, sinceMs: number): void {
    const was = from.degraded;
    from.degraded = reasons;
    if (reasons !== 0) from.degradedSinceMs = sinceMs;
    const { node, incarnation } = from;
    const tell = (event: FlowEvent) => this.out({ kind: "event", event });
    if (was === 0 && reasons !== 0) {
      from.degradations += 1;
      tell({ name: "peerDegraded", peer: { node, incarnation }, reasons });
    } else if (was !== 0 && reasons === 0) tell({ name: "peerWell", peer: { node, incarnation } });
  }

  private conditionNow(): string {
    const one = (peer: Follower) => {
      const { isFollowing, lag } = peer.stream;
      return `${peer.node} ${isFollowing} ${lag > 0} ${this.peers.of(peer).isComplete}`;
    };
    return this.broadcast.peers().map(one).join();
  }

  private send(now: number): void {
    const { degraded, last, onsets } = this.audit;
    const followers = this.broadcast.peers();
    this.sentMs = now;
    this.restMs = followers.length === 0 ? Number.POSITIVE_INFINITY : now + ACK_REST_MS;
    this.condition = this.conditionNow();
    // Where it began and ended since the last ACK, it is told once, and its end with the next tick.
    const told = onsets === this.toldOnsets ? degraded : last;
    this.toldOnsets = onsets;
    this.toldReasons = told?.reasons ?? 0;
    if (followers.length === 0) return;
    this.number = advance(this.number);
    const followed = followers.map(({ node, incarnation, stream }) => ({
      node,
      incarnation,
      isFollowing: stream.isFollowing,
      isComplete: this.peers.of({ node, incarnation }).isComplete,
      lag: stream.lag,
      next: stream.expected,
    }));
    const degradedMs = told ? now - told.sinceMs : 0;
    const ack = { reasons: this.toldReasons, degradedMs, number: this.number, followed };
    this.out({ kind: "send", body: encodeAck(ack) });
  }
}
