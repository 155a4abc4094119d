/** The JSON of the API: what `GET /v1/status`, `/v1/nodes` and `/v1/ranges` answer. */

import type { PeerHealth } from "../cluster/flows/peer.js";
import type { SyncSnapshot } from "../cluster/sync/messages.js";

/** First and last bucket of a run, both included. */
export type Run = readonly [first: number, last: number];

export type NodeState = "joining" | "syncing" | "active" | "draining" | "dead";

/** One link as heard from a peer. */
export interface LinkReport {
  /** Position in the configuration's `links`. */
  readonly link: number;
  readonly interface: string;
  /** Milliseconds since the last heartbeat; null if there never was one. */
  readonly ageMs: number | null;
  /** Datagrams accepted from this peer on this link. */
  readonly received: number;
  /** Whether the peer hears this node on this link, as it says; null: it has not said yet. */
  readonly heardThere: boolean | null;
}

export interface PeerReport {
  readonly node: number;
  readonly state: NodeState;
  /** 64-bit number in hex: JSON numbers end at 2^53. */
  readonly incarnation: string;
  readonly epoch: number;
  readonly range: readonly Run[];
  readonly links: readonly LinkReport[];
  /** Where its last datagram came from. */
  readonly address: string;
}

export interface WorkerReport {
  /** Queue number. */
  readonly queue: number;
  /** Packets of this queue. */
  readonly seen: number;
  readonly restarts: number;
  /** Milliseconds without a sign of life, 0 while the worker is healthy. */
  readonly stalledMs: number;
  /** Calls to the kernel that brought packets. */
  readonly batches: number;
  /** Times the socket's buffer overflowed. */
  readonly overruns: number;
  /** Verdicts the kernel refused. */
  readonly verdictErrors: number;
  /** Messages that held no packet. */
  readonly unreadable: number;
  /** Flows in use that had to make room in the mirror, since the worker's last start. */
  readonly evicted: number;
}

/** Packets the kernel dropped on its own, by cause. */
export interface KernelDrops {
  /** The queue was full. */
  readonly queueDropped: number;
  /** Our socket's receive buffer was full. */
  readonly socketDropped: number;
  /** Connection tracking called it INVALID. */
  readonly invalid: number;
  /** Of a flow known here whose bucket is not leased: another node handles it. */
  readonly foreignFlow: number;
  /** Its bucket was not in the kernel's leased set when its verdict came back. */
  readonly expiredLease: number;
  /** It reached the end of our chains without a bucket. */
  readonly undecided: number;
  /** Opened a flow to be translated, and its bucket had no port left for the destination. */
  readonly noPort: number;
  /** Opened a flow whose tuple, translated or not, another one had (`insert_failed`). */
  readonly insertFailed: number;
  /** Of a foreign bucket, refused before connection tracking. */
  readonly earlyForeign: number;
}

export interface PacketReport {
  /** By the workers, and those that the kernel accepted in their place. */
  readonly seen: number;
  readonly perSecond: number;
  readonly accepted: number;
  readonly dropped: number;
  /** `seen` is the sum of these. */
  readonly byReason: Readonly<Record<string, number>>;
  readonly kernel: KernelDrops;
  /** `paused` while some flow's packets may hash to another bucket than their flow's. */
  readonly earlyDrop: "none" | "on" | "paused";
}

/** How replication of flows stands; its peers are known by their node id. */
export interface SyncReport extends Omit<SyncSnapshot, "peers"> {
  readonly peers: readonly Omit<PeerHealth, "incarnation">[];
}

/** First replies that wait until the peers have their flows. */
export interface HoldReport {
  /** Longest wait in milliseconds. */
  readonly holdMs: number;
  /** Replies that are held now. */
  readonly holding: number;
  /** Replies that were asked about; each is in exactly one of the next four, or still waits. */
  readonly asked: number;
  /** Of no flow that is replicated from here. */
  readonly needless: number;
  /** Of flows that all awaited peers had already. */
  readonly atOnce: number;
  /** Held until all awaited peers had acknowledged. */
  readonly acknowledged: number;
  /** Held for the whole time: some peer was too slow, and is cut off. */
  readonly late: number;
  /** Let through for want of room. */
  readonly overflow: number;
  /** Let through because the sync thread did not answer in time. */
  readonly unanswered: number;
  /** Times that a peer was cut off, and those that are now. */
  readonly cutOffs: number;
  readonly cutOff: readonly { readonly node: number; readonly forMs: number }[];
}

/** Where the flows of other nodes are until their bucket comes (`sync.replicas`). */
export interface ReplicaReport {
  readonly mode: "warm" | "cold";
  /** Owned buckets that are not leased yet: their flows are on the way into the kernel. */
  readonly waitingBuckets: number;
  /** Buckets that were leased without their flows, after too long a wait. */
  readonly leasedLate: number;
}

export interface StatusReport {
  readonly node: number;
  readonly cluster: string;
  readonly version: string;
  readonly state: NodeState;
  /** Why the node does not serve, or would rather not; empty when all is well. */
  readonly fit: readonly string[];
  readonly epoch: number;
  /** 64-bit number in hex. */
  readonly incarnation: string;
  readonly lease: { readonly valid: boolean; readonly msLeft: number };
  readonly buckets: number;
  readonly range: readonly Run[];
  readonly ownedBuckets: number;
  /** Ids of the nodes believed alive and in sync. */
  readonly view: readonly number[];
  readonly packets: PacketReport;
  readonly workers: readonly WorkerReport[];
  readonly peers: readonly PeerReport[];
  /** Datagrams by outcome: accepted, sent, and each way to be refused. */
  readonly transport: Readonly<Record<string, number>>;
  readonly replicas: ReplicaReport;
  /** Replication of flows; null before it has begun. */
  readonly sync: SyncReport | null;
  /** Null with `sync.holdMs: 0`. */
  readonly hold: HoldReport | null;
  /** What must never happen, as far as a node sees it of itself: each has to be 0. */
  readonly invariants: Readonly<Record<string, number>>;
  readonly isolation: string;
  readonly uptimeMs: number;
}

export interface NodeReport {
  readonly node: number;
  readonly self: boolean;
  readonly state: NodeState;
  readonly inView: boolean;
  readonly incarnation: string;
  readonly epoch: number;
  readonly ownedBuckets: number;
  /** How its flows stand: `ok`, or what is wrong with them, for people. */
  readonly flows: string;
  /** Empty for the node that answers. */
  readonly links: readonly LinkReport[];
  /** Null for the node that answers. */
  readonly address: string | null;
}

export interface RangesReport {
  readonly buckets: number;
  readonly epoch: number;
  readonly ranges: readonly { readonly node: number; readonly range: readonly Run[] }[];
  /** Buckets nobody claims. */
  readonly unowned: number;
  /** Buckets claimed more than once: normal for a moment during a planned move. */
  readonly overlapping: number;
}

/** Number of buckets in a range. */
export function bucketsIn(range: readonly Run[]): number {
  return range.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

/** All nodes this node knows, itself included, by id. */
export function nodesOf(status: StatusReport): NodeReport[] {
  const { node, state, incarnation, epoch, range } = status;
  const self = { node, state, incarnation, epoch, range, links: [], address: null };
  const { sync } = status;
  return [self, ...status.peers]
    .map(({ range: owned, ...each }) => ({
      ...each,
      self: each.node === node,
      inView: status.view.includes(each.node),
      ownedBuckets: bucketsIn(owned),
      flows: sync === null ? "unknown" : flowsOf(sync, each.node, node),
    }))
    .sort((a, b) => a.node - b.node);
}

/** How the flows of one node stand, in words. */
function flowsOf(sync: SyncReport, node: number, self: number): string {
  if (node === self) return conditionText(sync.degraded);
  const peer = sync.peers.find((each) => each.node === node);
  if (peer === undefined) return "unknown";
  const { isComplete, isStalled, progress, lag, there, degraded } = peer;
  if (degraded !== null) return conditionText(degraded);
  if (isStalled) return "its table does not move on";
  if (!isComplete) return `${Math.floor(progress * 100)} % of its table is here`;
  if (lag > 0) return `${lag} frames behind it`;
  if (there === null) return "it does not hear us";
  if (!there.isComplete) return "our table is not there yet";
  return there.lag > 0 ? `it is ${there.lag} frames behind` : "ok";
}

function conditionText(degraded: SyncReport["degraded"]): string {
  return degraded === null ? "ok" : `degraded: ${degraded.why}, ${Math.round(degraded.forMs)} ms`;
}

/** Who claims what, as far as this node knows; the dead claim nothing. */
export function rangesOf(status: StatusReport): RangesReport {
  const { node, state, range, buckets, epoch } = status;
  const ranges = [{ node, state, range }, ...status.peers]
    .filter((each) => each.state !== "dead" && each.range.length > 0)
    .map((each) => ({ node: each.node, range: each.range }))
    .sort((a, b) => a.node - b.node);
  const owners = new Uint16Array(buckets);
  for (const run of ranges.flatMap((each) => each.range)) {
    for (let bucket = run[0]; bucket <= Math.min(run[1], buckets - 1); bucket++) {
      owners[bucket] = (owners[bucket] as number) + 1;
    }
  }
  const unowned = owners.filter((count) => count === 0).length;
  return { buckets, epoch, ranges, unowned, overlapping: owners.filter((n) => n > 1).length };
}
