/** The status of a node in a cluster of three, for tests of what is made from it. */
import type { PeerReport, StatusReport, SyncReport } from "../../src/api/report.js";

const PEER: PeerReport = {
  node: 1,
  state: "active",
  incarnation: "00000000000000a1",
  epoch: 7,
  range: [[0, 84]],
  links: [
    { link: 0, interface: "eth3", ageMs: 12, received: 900, heardThere: true },
    { link: 1, interface: "eth4", ageMs: null, received: 0, heardThere: false },
  ],
  address: "10.9.0.1:3780",
};

const TROUBLES = { batches: 90, overruns: 0, verdictErrors: 1, unreadable: 0, evicted: 2 };

export const STATUS: StatusReport = {
  node: 2,
  cluster: "edge",
  version: "0.1.0",
  state: "active",
  fit: [],
  epoch: 7,
  incarnation: "00000000000000a2",
  lease: { valid: true, msLeft: 125 },
  buckets: 256,
  range: [[85, 170]],
  ownedBuckets: 86,
  view: [1, 2],
  packets: {
    seen: 1000,
    perSecond: 123.45,
    accepted: 400,
    dropped: 600,
    byReason: { "own-new": 400, "foreign-new": 600, malformed: 0 },
    kernel: {
      queueDropped: 1,
      socketDropped: 2,
      invalid: 3,
      foreignFlow: 6,
      expiredLease: 4,
      undecided: 5,
      noPort: 7,
      insertFailed: 8,
      earlyForeign: 9,
    },
    earlyDrop: "on",
  },
  workers: [{ queue: 100, seen: 1000, restarts: 1, stalledMs: 0, ...TROUBLES }],
  peers: [PEER, { ...PEER, node: 3, state: "dead", range: [[171, 255]], links: [] }],
  transport: { accepted: 900, badAuth: 2 },
  replicas: { mode: "warm", waitingBuckets: 0, leasedLate: 0 },
  sync: null,
  hold: null,
  invariants: { epochWentBack: 0, lateRenewal: 2 },
  isolation: "serve",
  uptimeMs: 65_000,
};

const FOLLOWED: SyncReport["peers"][number] = {
  node: 1,
  isFollowing: true,
  isComplete: true,
  isStalled: false,
  progress: 1,
  sequence: 5000,
  lag: 0,
  ageMs: 400,
  naksSent: 3,
  naksHeard: 4,
  outOfSync: 1,
  drift: 2,
  repairs: 6,
  ackAgeMs: 30,
  there: { isFollowing: true, isComplete: true, lag: 7, unacknowledged: 9 },
  degraded: null,
  degradations: 11,
};

/** Replication of that node: node 1 is behind it, node 3 is degraded and does not hear it. */
export const SYNC_REPORT: SyncReport = {
  isSynced: true,
  degraded: null,
  resync: null,
  flows: 1234,
  flowsMax: 262144,
  isAttending: true,
  heapBytes: 3_000_000,
  tombstones: 5,
  backlog: 12,
  sequence: 77,
  sendBufferFill: 76,
  deliveredOutOfOrder: 0,
  driftedBuckets: 1,
  hold: null,
  residence: null,
  peers: [
    FOLLOWED,
    {
      ...{ ...FOLLOWED, node: 3, ackAgeMs: null, there: null },
      degraded: { why: "kernel events lost", forMs: 1200 },
    },
  ],
  counters: { told: 55 },
  overruns: 8,
  refused: { ENOMEM: 2 },
};
