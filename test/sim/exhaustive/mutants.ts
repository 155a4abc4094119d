/**
 * Deliberate bugs, put around the production code and never into it. The search has to find each:
 * one that lives shows a hole in the checks.
 */
import { Beats } from "../../../src/cluster/beats.js";
import { Lease } from "../../../src/cluster/lease.js";
import { View } from "../../../src/cluster/membership/view.js";
import { both, removeAll } from "../../../src/cluster/ranges/bitmap.js";
import { Holding } from "../../../src/cluster/ranges/holding.js";
import { RangeKeeper } from "../../../src/cluster/ranges/keeper.js";
import { targetOf } from "../../../src/cluster/ranges/target.js";
import { Standing } from "../../../src/cluster/standing.js";

/** Puts the bug in and returns how to take it out again. */
type Mutant = () => () => void;

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

export const MUTANTS: Record<string, Mutant> = {
  /** What is outside the target goes as soon as the view changes, not when another claims it. */
  releaseBeforeClaim: () =>
    instead(Standing.prototype, "changeView", (original) => {
      return function (this: Standing) {
        const { hash } = this.view;
        original.call(this);
        if (hash === this.view.hash || !this.self.isActive) return;
        const { mine } = this.holding.keeper;
        const target = targetOf(this.view.ids, this.self.identity.node, 6);
        removeAll(
          mine,
          both(
            mine,
            target.map((word) => ~word),
          ),
        );
        Object.assign(this.holding, { isLeaseOld: true });
      };
    }),

  /** A claim is obeyed however old it is. */
  epochNotCompared: () =>
    instead(RangeKeeper.prototype, "release", (original) => {
      return function (this: RangeKeeper, view, theirs) {
        return original.call(this, view, { ...theirs, epoch: Number.MAX_SAFE_INTEGER });
      };
    }),

  /** A claim is obeyed whatever its sender believes of the cluster. */
  viewNotCompared: () =>
    instead(RangeKeeper.prototype, "release", (original) => {
      return function (this: RangeKeeper, view, theirs) {
        return original.call(this, view, { ...theirs, viewHash: view.hash });
      };
    }),

  /** Two owners both let go: nobody ranks better. */
  rankNotCompared: () =>
    instead(RangeKeeper.prototype, "release", () => {
      return function (this: RangeKeeper, _view, theirs) {
        const shared = both(this.mine, theirs.buckets);
        removeAll(this.mine, shared);
        return shared;
      };
    }),

  /** An epoch that is taken from whoever speaks last. */
  epochGoesBack: () =>
    instead(View.prototype, "hear", () => {
      return function (this: View, epoch) {
        this.epoch = epoch;
      };
    }),

  /** The claim is told before the lease covers it. */
  claimBeforeLease: () =>
    instead(Holding.prototype, "renew", () => {
      return function (this: Holding, now) {
        this.hasNews = false;
        this.lease.renew(now, this.keeper.mine);
      };
    }),

  /** What a dead node owned is left to nobody. */
  orphansLeft: () => {
    const takeOver = instead(RangeKeeper.prototype, "takeOver", () => {
      return function (this: RangeKeeper, dead) {
        return dead.slice().fill(0);
      };
    });
    const uncovered = instead(Holding.prototype, "takeUncovered", () => () => undefined);
    return () => {
      takeOver();
      uncovered();
    };
  },

  /** Nobody ever gives a bucket up. */
  neverReleased: () => instead(Holding.prototype, "yieldTo", () => () => undefined),

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
