/**
 * What `flows` shows of a flow beside what its kernel says: how long this node has known it, and
 * which peers have it. Asked for by key, so that nothing is kept for it but two numbers a flow.
 */
import type { Follower } from "../broadcast/broadcast.js";
import { OUT_FLOWS_MAX } from "../limits.js";
import type { FlowSync } from "./sync.js";
import type { Entry } from "./table.js";

export interface FlowDescription {
  /** Milliseconds since this node has known the flow. */
  readonly ageMs: number;
  /**
   * `own`: of a bucket of this node. `replica`: another node's, as it was told. `young`: own, and
   * waits for its window; nobody has been told of it.
   */
  readonly role: "own" | "replica" | "young";
  /** Peers that have it, by id; of a replica none is known to. */
  readonly peers: readonly number[];
  /** Whether it is in this node's kernel, or kept out of it until its bucket comes. */
  readonly isInKernel: boolean;
}

/** Where a list of replicas outside the kernel goes on; flows of a bucket are counted from 0. */
export interface OutPlace {
  readonly bucket: number;
  readonly skip: number;
}

export interface OutFlows {
  /** Packed records. */
  readonly flows: readonly { readonly packed: string; readonly description: FlowDescription }[];
  /** Null: these were the last. */
  readonly next: OutPlace | null;
}

/** One for each key; null where replication knows nothing of the flow. */
export function describe(
  sync: FlowSync,
  keys: readonly string[],
  now: number,
): (FlowDescription | null)[] {
  const followers = sync.broadcast.peers();
  return keys.map((key) => {
    const young = sync.author.young.get(key);
    const entry = sync.shelf.table.get(key);
    if (entry) return ofEntry(sync, entry, followers, now);
    return young
      ? { ageMs: now - young.sinceMs, role: "young", peers: [], isInKernel: true }
      : null;
  });
}

/** Replicas outside the kernel from a place on, a bounded number; they change meanwhile. */
export function describeOut(sync: FlowSync, from: OutPlace, now: number): OutFlows {
  const { table, residence } = sync.shelf;
  const flows: OutFlows["flows"][number][] = [];
  for (let { bucket, skip } = from; bucket < table.bucketCount; bucket++, skip = 0) {
    if (!residence?.isOut(bucket)) continue;
    for (const key of table.keysOf(bucket).slice(skip)) {
      if (flows.length >= OUT_FLOWS_MAX) return { flows, next: { bucket, skip } };
      skip += 1;
      const entry = table.get(key) as Entry;
      if (!entry.mayBeOut) continue;
      flows.push({ packed: entry.packed, description: ofEntry(sync, entry, [], now) });
    }
  }
  return { flows, next: null };
}

function ofEntry(
  { ledger, shelf }: FlowSync,
  entry: Entry,
  followers: readonly Follower[],
  now: number,
): FlowDescription {
  const ageMs = now - entry.sinceMs;
  const isInKernel = !shelf.isOut(entry);
  if (!ledger.owns(entry.bucket)) return { ageMs, role: "replica", peers: [], isInKernel };
  const have = followers.filter((peer) => hasFrame(peer, entry.frame));
  return { ageMs, role: "own", peers: have.map(({ node }) => node), isInKernel };
}

/** Whether a peer has acknowledged our frame number `frame`, in the count of all frames. */
export function hasFrame({ acknowledged }: Follower, frame: number): boolean {
  return acknowledged?.isComplete === true && acknowledged.frames > frame;
}
