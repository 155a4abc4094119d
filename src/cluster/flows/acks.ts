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
import { ACK_EAGER_MS, ACK_MS } from "../limits.js";
import type { Member } from "../membership/view.js";
import type { Audit } from "./audit.js";
import type { FlowEvent, FlowOutput } from "./output.js";
import type { Peers } from "./peers.js";

export class Acks {
  private self: Member = { node: 0, incarnation: 0n };
  private number = 0;
  private dueMs = 0;
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

  onTick(now: number): void {
    const { degraded, onsets } = this.audit;
    const isNews = (degraded?.reasons ?? 0) !== this.toldReasons || onsets !== this.toldOnsets;
    if (isNews || now >= this.dueMs) this.send(now);
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

  private send(now: number): void {
    this.dueMs = now + ACK_MS;
    const { degraded, last, onsets } = this.audit;
    const followers = this.broadcast.peers();
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
