/** Bugs of transport, membership, ranges and the lease. */

import { HEADER_BYTES } from "../../../src/cluster/frame/header.js";
import { Lease } from "../../../src/cluster/lease.js";
import { PeerTable } from "../../../src/cluster/membership/peers.js";
import { Self } from "../../../src/cluster/membership/self.js";
import { View } from "../../../src/cluster/membership/view.js";
import { both, removeAll, without } from "../../../src/cluster/ranges/bitmap.js";
import { Holding } from "../../../src/cluster/ranges/holding.js";
import { RangeKeeper } from "../../../src/cluster/ranges/keeper.js";
import { targetOf } from "../../../src/cluster/ranges/target.js";
import { Standing } from "../../../src/cluster/standing.js";
import { TAG_BYTES } from "../../../src/cluster/transport/seal.js";
import { ReplayWindow } from "../../../src/cluster/transport/window.js";
import { CHEAP_SEAL } from "../cheap-seal.js";
import { both as bothUndone, disable, type Mutant, patch } from "./patch.js";

export const CLUSTER_MUTANTS: readonly Mutant[] = [
  {
    name: "release-before-claim",
    what: "a node gives up what is not in its target as soon as its view changes",
    apply: () =>
      patch(Standing, "changeView", (original) => (self) => {
        const before = self.view.epoch;
        original(self);
        if (self.view.epoch === before || !self.self.isActive) return;
        const { keeper } = self.holding;
        const target = targetOf(self.view.ids, keeper.node, keeper.buckets);
        removeAll(keeper.mine, without(keeper.mine, target));
        self.holding.isLeaseOld = true;
      }),
  },
  {
    name: "lease-too-long",
    what: "the lease lasts twice as long as the peers' patience",
    apply: () =>
      patch(Lease, "renew", (original) => (self, now, owned) => {
        const output = original(self, now, owned);
        self.untilMs = now + self.leaseMs * 3;
        return { ...output, untilMs: self.untilMs };
      }),
  },
  {
    name: "lease-renewed-late",
    what: "a node that was paused for longer than its lease goes on as if nothing was",
    apply: () => disable(Lease, "hasLapsed", false),
  },
  {
    name: "no-anti-replay",
    what: "a datagram is taken as often as it comes",
    apply: () => disable(ReplayWindow, "accept", true),
  },
  {
    name: "window-moves-back",
    what: "an old datagram moves the anti-replay window back",
    apply: () =>
      patch(ReplayWindow, "accept", (original) => (self, counter) => {
        if (counter >= self.newest) return original(self, counter);
        self.newest = counter;
        self.words.fill(0);
        return original(self, counter);
      }),
  },
  {
    name: "seal-not-checked",
    what: "a datagram whose tag is wrong is opened all the same",
    apply: () => {
      const { unseal } = CHEAP_SEAL;
      const open = (_key: Uint8Array, bytes: Uint8Array) =>
        bytes.slice(HEADER_BYTES, bytes.length - TAG_BYTES);
      Object.assign(CHEAP_SEAL, { unseal: open });
      return () => void Object.assign(CHEAP_SEAL, { unseal });
    },
  },
  {
    name: "echo-not-asked",
    what: "a recorded heartbeat makes a dead node look alive",
    apply: () =>
      patch(PeerTable, "hear", (original) => (self, from, beat, identity, arrival) => {
        const echo = { ...identity };
        return original(self, from, { ...beat, echoes: [...beat.echoes, echo] }, identity, arrival);
      }),
  },
  {
    name: "late-beat-taken",
    what: "an older heartbeat is obeyed after a newer one",
    apply: () =>
      patch(PeerTable, "hearAgain", (original) => (self, peer, beat, ...rest) => {
        if (beat.tick < peer.tick) peer.tick = beat.tick - 1;
        return original(self, peer, beat, ...rest);
      }),
  },
  {
    name: "epoch-not-compared",
    what: "a claim of an older epoch is obeyed",
    apply: () =>
      patch(RangeKeeper, "release", (original) => (self, view, claim) => {
        return original(self, { ...view, ids: view.ids, hash: view.hash, epoch: 0 }, claim);
      }),
  },
  {
    name: "view-not-compared",
    what: "a claim made under another view is obeyed",
    apply: () =>
      patch(RangeKeeper, "release", (original) => (self, view, claim) => {
        return original(self, view, { ...claim, viewHash: view.hash });
      }),
  },
  {
    name: "epoch-goes-back",
    what: "the epoch follows what was heard last, higher or lower",
    apply: () =>
      patch(View, "hear", () => (self, epoch) => {
        self.epoch = epoch;
      }),
  },
  {
    name: "both-release",
    what: "of two owners each releases to the other, whoever ranks better",
    apply: () =>
      patch(RangeKeeper, "release", () => (self, _view, claim) => {
        const shared = both(self.mine, claim.buckets);
        removeAll(self.mine, shared);
        return shared;
      }),
  },
  {
    name: "nobody-releases",
    what: "a former owner keeps what was claimed above it",
    apply: () => disable(Holding, "yieldTo"),
  },
  {
    name: "no-takeover",
    what: "the buckets of a dead node are left to lie",
    apply: () => {
      return bothUndone(disable(Holding, "takeOver", 0), disable(Holding, "takeUncovered"));
    },
  },
  {
    name: "takeover-too-early",
    what: "a peer is given up after half of its time",
    apply: () =>
      patch(PeerTable, "silentSince", (original) => (self, sinceMs) => {
        const newest = Math.max(...self.all().map((peer: { heardMs: number }) => peer.heardMs));
        return original(self, newest - (newest - sinceMs) / 2);
      }),
  },
  {
    name: "isolated-node-serves",
    what: "a node that may not serve alone goes on serving",
    apply: () => disable(Self, "mayServe", true),
  },
  {
    name: "joins-without-listening",
    what: "a starting node takes part before it has heard the others",
    apply: () =>
      patch(Self, "next", (original) => (self, around, now) => {
        self.listenUntilMs = 0;
        return original(self, around, now);
      }),
  },
  {
    name: "claims-what-is-owned",
    what: "a node takes its whole target from the others at once, whatever flows are here",
    apply: () =>
      patch(RangeKeeper, "claimPlanned", (original) => (self, view) => {
        return original(self, view, Number.POSITIVE_INFINITY, () => true);
      }),
  },
  {
    name: "rejoins-without-listening",
    what: "a node that was out of sight takes part as soon as it sees one peer",
    apply: () =>
      patch(Self, "next", (original) => (self, around, now) => {
        const before = self.listenUntilMs;
        const state = original(self, around, now);
        self.listenUntilMs = before;
        return state;
      }),
  },
];
