/**
 * Deliberate bugs, put around the production code and never into it: those of the simulator that
 * concern the range protocol, and some that only a look at every order shows at once. The search
 * has to find each: one that lives shows a hole in the checks.
 */
import { Beats } from "../../../src/cluster/beats.js";
import { Lease } from "../../../src/cluster/lease.js";
import { Holding } from "../../../src/cluster/ranges/holding.js";
import { Standing } from "../../../src/cluster/standing.js";
import { CLUSTER_MUTANTS } from "../mutants/cluster.js";

/** Puts the bug in and returns how to take it out again. */
type Mutant = () => () => void;

/**
 * Bugs of the simulator that are none here: the transport is left out, nobody pauses or plays
 * datagrams of a former incarnation, and a node that is cut off serves.
 */
const OF_OTHERS = [
  "no-anti-replay",
  "window-moves-back",
  "seal-not-checked",
  "echo-not-asked",
  "lease-renewed-late",
  "isolated-node-serves",
  "rejoins-without-listening",
];

const SHARED = CLUSTER_MUTANTS.flatMap(({ name, apply }): [string, Mutant][] =>
  apply === undefined || OF_OTHERS.includes(name) ? [] : [[name, apply]],
);

/** Replaces a method of a class; `make` gets the one that was there. */
function instead<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  make: (original: T[K]) => T[K],
): () => void {
  const original = prototype[name];
  prototype[name] = make(original);
  return () => {
    prototype[name] = original;
  };
}

const OWN: Record<string, Mutant> = {
  /** The claim is told before the lease covers it. */
  claimBeforeLease: () =>
    instead(Holding.prototype, "renew", () => {
      return function (this: Holding, now) {
        this.hasNews = false;
        this.lease.renew(now, this.keeper.mine);
      };
    }),

  /** A draining node gives up at once. */
  drainDrops: () =>
    instead(Standing.prototype, "advance", (original) => {
      return function (this: Standing, now) {
        original.call(this, now);
        if (this.self.state === "draining") this.holding.dropAll("drain");
      };
    }),

  /** Claims are told once, when they change, and never again. */
  claimsNotRepeated: () =>
    instead(Beats.prototype, "onTick", (original) => {
      return function (this: Beats, now) {
        const { holding } = (this as unknown as { standing: Standing }).standing;
        const isNews = holding.hasNews;
        const { mine } = holding.keeper;
        const kept = mine.slice();
        if (!isNews) mine.fill(0);
        original.call(this, now);
        if (!isNews) mine.set(kept);
      };
    }),

  /** A lease that is renewed without being extended. */
  leaseNotRenewed: () =>
    instead(Lease.prototype, "renew", () => {
      return function (this: Lease, now, owned) {
        this.beat(now);
        if (this.untilMs === Number.NEGATIVE_INFINITY) this.untilMs = now + 100;
        return this.change(owned);
      };
    }),
};

export const MUTANTS: Record<string, Mutant> = { ...Object.fromEntries(SHARED), ...OWN };
