/**
 * What `flows` shows of a flow beside what its kernel says: how long this node has known it, and
 * which peers have it. Asked for by key, so that nothing is kept for it but two numbers a flow.
 */
import type { Follower } from "../broadcast/broadcast.js";
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
    return young ? { ageMs: now - young.sinceMs, role: "young", peers: [] } : null;
  });
}

function ofEntry(
  { ledger }: FlowSync,
  entry: Entry,
  followers: readonly Follower[],
  now: number,
): FlowDescription {
  const ageMs = now - entry.sinceMs;
  if (!ledger.owns(entry.bucket)) return { ageMs, role: "replica", peers: [] };
  const have = followers.filter((peer) => hasFrame(peer, entry.frame));
  return { ageMs, role: "own", peers: have.map(({ node }) => node) };
}

/** Whether a peer has acknowledged our frame number `frame`, in the count of all frames. */
export function hasFrame({ acknowledged }: Follower, frame: number): boolean {
  return acknowledged?.isComplete === true && acknowledged.frames > frame;
}
