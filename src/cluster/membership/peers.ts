/**
 * Who is alive, and who only looks so.
 *
 * Problem: a recorded datagram of a dead incarnation is authentic for ever. If it made its sender
 * look alive, nobody would take the dead node's buckets over. A replay window does not help a node
 * that has just started and has seen no counter yet; a handshake would need a state per pair.
 *
 * Rule: each node has a random challenge in its heartbeats and echoes what it heard from whom. An
 * incarnation is a candidate, nothing more, until it echoes *my* incarnation and *my* challenge:
 * that it cannot have recorded. The challenge is renewed whenever a peer is declared dead, so that
 * the echoes it made while alive are worthless too.
 *
 *      A                                  B (starts)
 *      beat, challenge a  ------------->  A is a candidate
 *      B is a candidate   <-------------  beat, challenge b, echo (A, a)
 *      ... and the echo of (A, a) makes B a peer of A at once
 *      beat, echo (B, b)  ------------->  A is a peer of B
 *
 * A second incarnation of a live peer waits as a candidate until the first is dead: after a restart
 * that is sooner than the newcomer can be active, and a twin cannot push its namesake out.
 */
import type { Echo, Heartbeat } from "../frame/heartbeat.js";
import type { State } from "../frame/kind.js";
import { CANDIDATES_MAX, NODES_MAX } from "../limits.js";
import type { Bitmap } from "../ranges/bitmap.js";
import type { Member } from "./view.js";

export interface LinkHealth {
  /** When a beat of the peer last arrived here, in protocol milliseconds; null: never. */
  heardMs: number | null;
  received: number;
  /** Where it came from, as the socket tells it. */
  address: string;
  /** Whether the peer hears this node on this link, as it says; null: it has not said yet. */
  isHeardThere: boolean | null;
}

export interface Peer extends Member {
  state: State;
  challenge: bigint;
  tick: number;
  epoch: number;
  viewHash: bigint;
  /** Whether it shares the settings that all must share. If not, it counts for nothing else. */
  isCompatible: boolean;
  claim: Bitmap;
  /** What the layers above were last told of its stream, and how many beats ago. */
  sent: number;
  sentBeats: number;
  /** When something new of it last arrived on any link, in protocol milliseconds. */
  heardMs: number;
  readonly links: LinkHealth[];
}

interface Candidate extends Echo {
  heardMs: number;
}

/** Own identity, as peers must echo it. */
export interface Identity extends Member {
  incarnation: bigint;
  challenge: bigint;
}

/** Where a datagram came from and when. */
export interface Arrival {
  readonly link: number;
  readonly address: string;
  readonly now: number;
}

export type Hearing = "fresh" | "repeated" | "stale" | "unconfirmed" | "tooManyNodes";

export function echoes(list: readonly Echo[], identity: Identity): boolean {
  return list.some(
    (echo) =>
      echo.node === identity.node &&
      echo.incarnation === identity.incarnation &&
      echo.challenge === identity.challenge,
  );
}

export class PeerTable {
  private readonly peers = new Map<number, Peer>();
  /** The same by id; made anew after a change. */
  private sorted: readonly Peer[] | null = null;
  private candidates: Candidate[] = [];

  constructor(
    private readonly linkCount: number,
    private readonly noClaim: () => Bitmap,
  ) {}

  get size(): number {
    return this.peers.size;
  }

  /** All peers by id. */
  all(): readonly Peer[] {
    this.sorted ??= [...this.peers.values()].sort((a, b) => a.node - b.node);
    return this.sorted;
  }

  /** The peer of exactly this incarnation. */
  find(member: Member): Peer | undefined {
    const peer = this.peers.get(member.node);
    return peer?.incarnation === member.incarnation ? peer : undefined;
  }

  /** Takes an authentic beat; `fresh` means that the sender is alive and this is news of it. */
  hear(from: Member, beat: Heartbeat, identity: Identity, arrival: Arrival): Hearing {
    const peer = this.find(from);
    if (peer) return this.hearAgain(peer, beat, identity, arrival);
    this.remember(from, beat.challenge, arrival.now);
    if (!echoes(beat.echoes, identity) || this.peers.has(from.node)) return "unconfirmed";
    if (this.peers.size >= NODES_MAX - 1) return "tooManyNodes";
    this.candidates = this.candidates.filter((other) => !isSame(other, from));
    const added = this.newPeer(from, beat);
    this.peers.set(from.node, added);
    this.sorted = null;
    return this.hearAgain(added, beat, identity, arrival);
  }

  /** Keeps a challenge to be echoed. Our own id is welcome: that is how a twin is recognised. */
  remember(from: Member, challenge: bigint, now: number): void {
    this.candidates = this.candidates.filter((other) => !isSame(other, from));
    if (this.candidates.length >= CANDIDATES_MAX) this.candidates.shift();
    const { node, incarnation } = from;
    this.candidates.push({ node, incarnation, challenge, links: 0, heardMs: now });
  }

  /** Forgets candidates not heard since `sinceMs`. */
  forgetCandidates(sinceMs: number): void {
    this.candidates = this.candidates.filter((candidate) => candidate.heardMs > sinceMs);
  }

  /** Peers of which nothing new arrived since `sinceMs`. */
  silentSince(sinceMs: number): Peer[] {
    return this.all().filter((peer) => peer.heardMs <= sinceMs);
  }

  /** Since when the peer that was heard longest ago is silent; Infinity without peers. */
  get silentMs(): number {
    return this.all().reduce((first, { heardMs }) => Math.min(first, heardMs), Infinity);
  }

  remove(peer: Peer): void {
    this.peers.delete(peer.node);
    this.sorted = null;
  }

  clear(): void {
    this.peers.clear();
    this.sorted = null;
    this.candidates = [];
  }

  /** What this node's heartbeat echoes. @param sinceMs when a link counts as silent */
  echoes(sinceMs: number): Echo[] {
    const peers = this.all().map(({ node, incarnation, challenge, links }) => {
      return { node, incarnation, challenge, links: heardOn(links, sinceMs) };
    });
    return [...peers, ...this.candidates];
  }

  private hearAgain(peer: Peer, beat: Heartbeat, self: Identity, arrival: Arrival): Hearing {
    if (beat.tick < peer.tick) return "stale";
    const health = peer.links[arrival.link];
    health.heardMs = arrival.now;
    health.received += 1;
    health.address = arrival.address;
    if (beat.tick === peer.tick) return "repeated"; // the same beat on another link
    peer.heardMs = arrival.now;
    peer.tick = beat.tick;
    peer.state = beat.state;
    peer.challenge = beat.challenge;
    noteHearing(peer.links, beat, self);
    return "fresh";
  }

  private newPeer(from: Member, beat: Heartbeat): Peer {
    return {
      node: from.node,
      incarnation: from.incarnation,
      state: beat.state,
      challenge: beat.challenge,
      tick: -1,
      epoch: 0,
      viewHash: 0n,
      isCompatible: false,
      claim: this.noClaim(),
      sent: 0,
      sentBeats: 0,
      heardMs: Number.NEGATIVE_INFINITY,
      links: Array.from({ length: this.linkCount }, () => ({
        heardMs: null,
        received: 0,
        address: "",
        isHeardThere: null,
      })),
    };
  }
}

/** Bit set of the links on which something arrived after `sinceMs`. */
function heardOn(links: readonly LinkHealth[], sinceMs: number): number {
  return links.reduce((bits, { heardMs }, link) => {
    return heardMs !== null && heardMs > sinceMs ? bits | (1 << link) : bits;
  }, 0);
}

/** Takes what a peer says of the other direction; no echo of us any more: it hears nothing. */
function noteHearing(links: readonly LinkHealth[], beat: Heartbeat, self: Identity): void {
  const mine = beat.echoes.find((echo) => isSame(echo, self));
  if (mine?.links === 0) return; // as a candidate it says nothing about links
  for (const [link, health] of links.entries()) {
    if (mine) health.isHeardThere = (mine.links & (1 << link)) !== 0;
    else if (health.isHeardThere !== null) health.isHeardThere = false;
  }
}

function isSame(a: Member, b: Member): boolean {
  return a.node === b.node && a.incarnation === b.incarnation;
}
