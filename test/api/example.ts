/** The status of a node in a cluster of three, for tests of what is made from it. */
import type { PeerReport, StatusReport } from "../../src/api/report.js";

const PEER: PeerReport = {
  node: 1,
  state: "active",
  incarnation: "00000000000000a1",
  epoch: 7,
  range: [[0, 84]],
  links: [
    { link: 0, interface: "eth3", ageMs: 12, received: 900 },
    { link: 1, interface: "eth4", ageMs: null, received: 0 },
  ],
  address: "10.9.0.1:3780",
};

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
    },
  },
  workers: [{ queue: 100, seen: 1000, restarts: 1, stalledMs: 0 }],
  peers: [PEER, { ...PEER, node: 3, state: "dead", range: [[171, 255]], links: [] }],
  transport: { accepted: 900, badAuth: 2 },
  sync: null,
  isolation: "serve",
  uptimeMs: 65_000,
};
