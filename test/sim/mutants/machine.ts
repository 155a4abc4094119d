/** Bugs of what ties the reducers to threads, kernel and packets. */
import { ClusterNode } from "../../../src/cluster/node.js";
import { slicedPorts } from "../connection.js";
import { Kernel } from "../kernel.js";
import { Worker } from "../worker.js";
import { both, disable, type Mutant, patch } from "./patch.js";

export const MACHINE_MUTANTS: readonly Mutant[] = [
  {
    name: "stall-ignored",
    what: "a node whose packet worker stands still goes on sending heartbeats",
    apply: () => disable(ClusterNode, "setStalled", []),
  },
  {
    name: "overflow-unnoticed",
    what: "nobody is told that the kernel has left events out",
    apply: () => disable(Kernel, "takeLoss", false),
  },
  {
    name: "slice-ignored",
    what: "a flow is translated to any port, not to one of its bucket's slice",
    twists: {
      slices: (buckets) => {
        const slices = slicedPorts(buckets);
        return {
          ...slices,
          choose: (_bucket, draw, isFree) =>
            slices.choose(Math.floor(draw() * buckets), draw, isFree),
        };
      },
    },
  },
  {
    name: "worker-ignores-range",
    what: "a packet worker accepts new flows of any bucket, and settle does not ask either",
    apply: () => {
      const judge = patch(Worker, "judge", () => (_self, _packet, known, hashed) => {
        return known < 0 ? hashed : known;
      });
      const leases = disable(Kernel, "leases", true);
      return both(judge, leases);
    },
  },
  {
    name: "worker-ignores-lease",
    what: "a packet worker accepts under an expired lease, and so does the kernel",
    apply: () => {
      const judge = patch(Worker, "judge", (original) => (self, packet, known, hashed) => {
        return original(self, packet, known, hashed, 0);
      });
      const leases = patch(Kernel, "leases", () => (self, bucket) => {
        return (self.leased[bucket >>> 5] & (1 << (bucket & 31))) !== 0;
      });
      return both(judge, leases);
    },
  },
  {
    name: "kernel-lease-forever",
    what: "the leased set in the kernel has no time-out",
    apply: () => patch(Kernel, "lease", (original) => (self, owned) => original(self, owned, 1e12)),
  },
];
