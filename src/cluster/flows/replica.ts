/**
 * What peers tell, applied: ops in, table and kernel changed.
 *
 * Problem: ops of different senders overtake each other. A former owner's update arrives after the
 * new owner's, a deletion before the flow it deletes, a dead node's words from somebody else.
 *
 * Rule: the newer version wins, not the later arrival (version.ts). Three refinements:
 * - *late*: what a node says itself under an older term than the bucket has by now cannot change or
 *   delete a flow that is known; it can only add one.
 * - *section*: what the bucket's owner sends as the whole of a bucket is right, whatever was known,
 *   but for what is younger than messages take to arrive.
 * - an owner keeps what peers add to its buckets: it may be the flow of a former owner.
 */
import type { Follower } from "../broadcast/broadcast.js";
import { REPAIR_BUCKETS_MAX, SETTLE_MS } from "../limits.js";
import type { Author } from "./author.js";
import { isSameDigest } from "./digest.js";
import type { Ledger } from "./ledger.js";
import type { Op } from "./ops.js";
import { saysTheSame } from "./packed.js";
import type { PeerFlows } from "./peer.js";
import { isBelow, isTranslatedAlike, lacksAnswer, type Replicated, rankOf } from "./record.js";
import { keyOf } from "./record-wire.js";
import type { Shelf } from "./shelf.js";
import { Entry } from "./table.js";
import type { Tombstone } from "./tombstones.js";
import { isNewer, type Version } from "./version.js";

type Of<Name extends Op["op"]> = Extract<Op, { op: Name }>;

export class Replica {
  readonly counters = {
    applied: 0,
    removed: 0,
    stale: 0,
    late: 0,
    advanced: 0,
    repaired: 0,
    drift: 0,
  };
  /** Buckets that differ from what their owner has, to be asked for. */
  readonly drifted = new Set<number>();
  /** Buckets whose owner does not know of a claim above its own: it has to be told. */
  readonly outdated = new Set<number>();

  constructor(
    private readonly shelf: Shelf,
    private readonly ledger: Ledger,
    private readonly author: Author,
  ) {}

  /** Applies an op of the next frame of a peer; true when it shows that a bucket has drifted. */
  onOp(peer: Follower, flows: PeerFlows, op: Op, now: number): boolean {
    switch (op.op) {
      case "put":
        this.onPut(peer, flows, op, now);
        return false;
      case "remove":
        this.onRemove(peer, op, now);
        return false;
      case "section":
        this.onSection(peer, flows, op, now);
        return false;
      case "end":
        this.onEnd(peer, flows, op, now);
        return false;
      case "digest":
        return this.onDigest(peer, flows, op, now);
      case "claim":
        this.ledger.hear(op.bucket, op.term, op.node, now);
        return false;
      default:
        return false;
    }
  }

  /** Buckets to be asked for again from their owner `node`, at most as many as a REPAIR holds. */
  driftedOf(node: number): number[] {
    const isTheirs = (bucket: number) => this.ledger.isHolder(bucket, node);
    return [...this.drifted].filter(isTheirs).slice(0, REPAIR_BUCKETS_MAX);
  }

  private onPut(peer: Follower, flows: PeerFlows, op: Of<"put">, now: number): void {
    const { version, record } = op;
    const key = keyOf(record);
    const inSection = flows.section?.bucket === record.bucket;
    if (inSection) flows.section?.unseen.delete(key);
    if (!flows.isComplete) flows.arrivedFlows += 1;
    const isRight = inSection && this.isAuthority(peer, record.bucket);
    const entry = this.shelf.table.get(key);
    const known = entry ?? this.shelf.tombstones.find(key);
    if (!this.mayChange(peer, record.bucket, version, known, isRight, now)) {
      if (entry) this.catchUp(entry, record);
      return;
    }
    if (version.writer === peer.node) this.ledger.hear(record.bucket, version.term, peer.node, now);
    const put = this.shelf.put(key, record, version, now);
    if (!put) {
      this.ledger.setGood(record.bucket, false); // no room: who took the bucket would cut the flow
      return;
    }
    this.counters.applied += 1;
    this.noteWriter(peer, record.bucket, now);
    const untold = this.author.untold(key);
    if (untold?.bucket === record.bucket && this.isOurs(untold, record, version)) {
      // The kernel has it already, as this node saw it.
      if (lacksAnswer(untold, record)) this.advance(key, record);
    } else if (untold) {
      // It was let in here as new, but its master's owner expected it, and from now on it is
      // foreign here too; or another owner let it in as well, with a translation of its own.
      this.author.forget(key);
      this.shelf.replace(untold, record);
    } else if (!entry || this.shelf.isOut(entry)) this.shelf.kernel("create", record);
    else if (!saysTheSame(entry.packed, put.packed) && !this.recall(entry, record)) {
      this.shelf.replace(entry.record, record);
    }
  }

  /**
   * Whether what this node let in is right, although a peer has told the same flow: translated
   * alike, or under a term that will beat the peer's, and not less established.
   */
  private isOurs(untold: Replicated, told: Replicated, { term }: Version): boolean {
    if (isTranslatedAlike(untold, told)) return true;
    const isLess = isBelow(rankOf(untold), rankOf(told));
    return !isLess && this.ledger.ownTerm(told.bucket) > term;
  }

  /** What cannot change a flow of an own bucket may still say how far it has come. */
  private catchUp(entry: Entry, told: Replicated): void {
    if (!this.ledger.owns(entry.bucket)) return;
    const ours = this.author.untold(entry.key) ?? entry.record;
    if (lacksAnswer(ours, told)) this.advance(entry.key, told);
  }

  /**
   * Says again what this node has told, where the word that beats it knows of no answer: owners of
   * a split cluster may each have let the flow in. Returns whether it does.
   */
  private recall(before: Entry, told: Replicated): boolean {
    if (before.frame < 0 || !lacksAnswer(told, before.record)) return false;
    this.author.strays.addLate(before.key, before.record);
    return true;
  }

  /** Moves the kernel's flow on to what a former owner saw; its event tells the peers. */
  private advance(key: string, told: Replicated): void {
    this.author.forget(key);
    this.counters.advanced += 1;
    this.shelf.kernel("update", told);
  }

  private onRemove(peer: Follower, { version, identity }: Of<"remove">, now: number): void {
    const key = keyOf(identity);
    const entry = this.shelf.table.get(key);
    const known = entry ?? this.shelf.tombstones.find(key);
    if (!this.mayChange(peer, identity.bucket, version, known, false, now)) return;
    this.noteWriter(peer, identity.bucket, now);
    if (entry) this.drop(entry, version, now);
    else this.shelf.tombstones.set(key, { bucket: identity.bucket, version, atMs: now });
  }

  private onSection(peer: Follower, flows: PeerFlows, op: Of<"section">, now: number): void {
    this.ledger.hear(op.bucket, op.term, peer.node, now);
    const unseen = new Set(this.shelf.table.keysOf(op.bucket));
    flows.section = { bucket: op.bucket, unseen };
  }

  private onEnd(peer: Follower, flows: PeerFlows, op: Of<"end">, now: number): void {
    const { section } = flows;
    flows.section = null;
    if (section?.bucket !== op.bucket || !op.isWhole) return;
    this.drifted.delete(op.bucket);
    if (!this.isAuthority(peer, op.bucket)) return;
    for (const key of section.unseen) {
      const entry = this.shelf.table.get(key);
      if (!entry || now - entry.atMs < SETTLE_MS) continue;
      this.drop(entry, entry.version, now);
      this.counters.repaired += 1;
    }
  }

  /** Compares a bucket with its owner's; returns whether it has drifted. */
  private onDigest(peer: Follower, flows: PeerFlows, op: Of<"digest">, now: number): boolean {
    const { bucket, term, digest } = op;
    this.ledger.hear(bucket, term, peer.node, now);
    if (!this.ledger.isHolder(bucket, peer.node)) {
      this.outdated.add(bucket);
      return false;
    }
    if (isSameDigest(digest, this.shelf.table.digest(bucket))) {
      // Also while the bucket is still mine: then it counts once I have let go.
      this.drifted.delete(bucket);
      this.ledger.setGood(bucket, true);
      return false;
    }
    // A full table cannot become like another; asking again and again would only cost.
    const mayJudge = flows.isComplete && !this.shelf.table.isFull && !this.ledger.owns(bucket);
    if (!mayJudge) return false;
    this.ledger.setGood(bucket, false);
    if (!this.ledger.isSettled(bucket, now)) return false;
    this.drifted.add(bucket);
    flows.drift += 1;
    this.counters.drift += 1;
    return true;
  }

  private mayChange(
    peer: Follower,
    bucket: number,
    version: Version,
    known: Entry | Tombstone | undefined,
    isRight: boolean,
    now: number,
  ): boolean {
    if (!known) return true;
    if (isRight && now - known.atMs >= SETTLE_MS) {
      // A section that was out of date may have ended a flow under its own version.
      return !(known instanceof Entry) || !isSameVersion(version, known.version);
    }
    if (!isNewer(version, known.version)) {
      this.counters.stale += 1;
      return false;
    }
    const isLate = version.writer === peer.node && version.term < this.ledger.term(bucket);
    if (isLate && !isRight) this.counters.late += 1;
    return !isLate || isRight;
  }

  private drop(entry: Entry, version: Version, now: number): void {
    this.shelf.bury(entry, version, now);
    this.counters.removed += 1;
    if (!this.author.young.has(entry.key)) this.shelf.kernel("delete", entry.record);
  }

  private noteWriter(peer: Follower, bucket: number, now: number): void {
    if (!this.ledger.isHolder(bucket, peer.node)) this.ledger.touch(bucket, now);
  }

  private isAuthority(peer: Follower, bucket: number): boolean {
    return this.ledger.isHolder(bucket, peer.node) && !this.ledger.owns(bucket);
  }
}

function isSameVersion(a: Version, b: Version): boolean {
  return a.term === b.term && a.writer === b.writer && a.sequence === b.sequence;
}
