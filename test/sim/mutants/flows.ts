/** Bugs of reliable broadcast and of flow replication. */
import { Broadcast } from "../../../src/cluster/broadcast/broadcast.js";
import { SendBuffer } from "../../../src/cluster/broadcast/send-buffer.js";
import { Stream } from "../../../src/cluster/broadcast/stream.js";
import { Audit } from "../../../src/cluster/flows/audit.js";
import { Author } from "../../../src/cluster/flows/author.js";
import { Ledger } from "../../../src/cluster/flows/ledger.js";
import { Peers } from "../../../src/cluster/flows/peers.js";
import { Replica } from "../../../src/cluster/flows/replica.js";
import { Sections } from "../../../src/cluster/flows/sections.js";
import { Strays } from "../../../src/cluster/flows/strays.js";
import { FlowTable } from "../../../src/cluster/flows/table.js";
import { Tombstones } from "../../../src/cluster/flows/tombstones.js";
import { Unsure } from "../../../src/cluster/flows/unsure.js";
import { Standing } from "../../../src/cluster/standing.js";
import { Replication } from "../../../src/cluster/sync/replication.js";
import { both, disable, type Mutant, patch } from "./patch.js";

export const FLOW_MUTANTS: readonly Mutant[] = [
  {
    name: "nak-ignored",
    what: "a sender does not repair what is asked for",
    apply: () => disable(Broadcast, "onNak"),
  },
  {
    name: "late-frame-taken",
    what: "a frame that was delivered is delivered again",
    apply: () =>
      patch(Stream, "take", (original) => (self, sequence, payload, now) => {
        const behind = (self.expected - sequence) | 0;
        if (self.isFollowing && behind > 0 && behind < 3) self.expected = sequence;
        return original(self, sequence, payload, now);
      }),
  },
  {
    name: "gap-skipped",
    what: "a receiver goes on behind a gap without a word",
    apply: () =>
      patch(Stream, "take", (original) => (self, sequence, payload, now) => {
        if (self.isFollowing && ((sequence - self.expected) | 0) > 2) self.expected = sequence;
        return original(self, sequence, payload, now);
      }),
  },
  {
    name: "heartbeat-tells-nothing",
    what: "the newest frame is not told by heartbeats, so a lost last one is not missed",
    apply: () => disable(Broadcast, "onSent"),
  },
  {
    name: "resync-ignored",
    what: "a sender does not answer who has lost the thread",
    apply: () => disable(Broadcast, "onResync"),
  },
  {
    name: "old-incarnation-delivered",
    what: "what an ended incarnation of a peer said is taken for its successor's",
    apply: () => {
      // Control and sync each refuse it; the bug is that neither does.
      const lift = patch(Standing, "lift", () => (self, from, body) => {
        const isMeant = (peer: { node: number }) => peer.node === from.node;
        if (!self.peers.all().find(isMeant)?.isCompatible) return false;
        self.out.up({ kind: "body", from, body });
        return true;
      });
      const find = patch(Broadcast, "find", () => (self, peer) => self.followers.get(peer.node));
      return both(lift, find);
    },
  },
  {
    name: "send-buffer-unbounded",
    what: "frames are never forgotten",
    apply: () =>
      patch(SendBuffer, "push", (original) => (self, payload, ...rest) => {
        self.bodies.push(payload);
        return original(self, payload, ...rest);
      }),
  },
  {
    name: "deletion-resurrects",
    what: "nothing remembers that a flow has ended",
    apply: () => disable(Tombstones, "find", undefined),
  },
  {
    name: "deletion-not-told",
    what: "the end of a flow is not told to the peers",
    apply: () =>
      patch(Author, "end", () => (self, key, now) => {
        const entry = self.shelf.table.get(key);
        if (entry) self.shelf.bury(entry, self.nextVersion(entry.record.bucket), now);
      }),
  },
  {
    name: "no-digest-repair",
    what: "drift is found and not repaired",
    apply: () => disable(Replica, "driftedOf", []),
  },
  {
    name: "claims-before-flows",
    what: "buckets are claimed and service begins before the flows are here",
    apply: () => {
      return both(
        patch(Ledger, "ready", () => (self) => self.holders.slice()),
        disable(Peers, "areSettled", true),
      );
    },
  },
  {
    name: "table-left-out",
    what: "a newcomer is told that the table is over before it has begun",
    apply: () =>
      patch(
        Sections,
        "section",
        () =>
          function* () {
            yield* [];
          },
      ),
  },
  {
    name: "loss-not-repaired",
    what: "after lost kernel events the table is not read again",
    apply: () =>
      patch(Audit, "readAgain", (original) => (self, now, isLoss) => {
        if (!isLoss) original(self, now, isLoss);
      }),
  },
  {
    name: "late-flows-not-told",
    what: "flows younger than the window are forgotten when their bucket moves",
    apply: () =>
      patch(Author, "onWent", () => (self, buckets) => {
        const went = new Set(buckets);
        for (const [key] of [...self.young.of((bucket: number) => went.has(bucket))]) {
          self.young.delete(key);
        }
      }),
  },
  {
    name: "early-ignored",
    what: "what was let in before replication heard of its bucket is never told",
    apply: () => disable(Strays, "addEarly"),
  },
  {
    name: "answer-not-passed-on",
    what: "a kernel waits for an answer that a former owner has let through",
    apply: () => disable(Replica, "advance"),
  },
  {
    name: "term-not-raised",
    what: "a new owner speaks under the term of the old one",
    apply: () =>
      patch(Ledger, "acquire", (original) => (self, bucket, epoch) => {
        const before = self.terms[bucket];
        original(self, bucket, epoch);
        self.terms[bucket] = before;
        self.ownTerms[bucket] = before;
      }),
  },
  {
    name: "old-kernel-believed",
    what: "what a restarted node's kernel still has is kept, whatever the owners say",
    apply: () => disable(Unsure, "settle", 0),
  },
  {
    name: "table-unbounded",
    what: "the table grows beyond its bound",
    apply: () => disable(FlowTable, "makeRoom", true),
  },
  {
    name: "answer-not-awaited",
    what: "a thread that stands still is believed to have nothing new to say",
    apply: () =>
      patch(Replication, "tell", (original) => (self, input) => {
        original(self, input);
        if (input.kind === "ask") self.askedMs = input.atMs;
      }),
  },
  {
    name: "stale-thread",
    what: "frames of a former incarnation leave under the new one",
    apply: () =>
      patch(Replication, "begin", () => (self, incarnation) => {
        self.incarnation = incarnation;
        const port = self.port;
        if (port.isMutant) return;
        port.isMutant = true;
        const listener = port.listener;
        port.listener = (reply: object) => listener({ ...reply, incarnation: self.incarnation });
      }),
  },
  {
    name: "tables-are-enough",
    what: "a node counts as in sync while frames behind its peers' tables are missing",
    apply: () =>
      patch(Peers, "areSettled", () => (self, followers) => {
        return followers.every(
          (peer: never) => self.of(peer).isComplete || self.of(peer).isStalled,
        );
      }),
  },
  {
    name: "tombstone-blocks-repair",
    what: "a flow that an outdated section has ended is not taken back from its owner",
    apply: () =>
      patch(Replica, "mayChange", (original) => (self, peer, bucket, version, known, ...rest) => {
        const isStone = known !== undefined && !("key" in known);
        const isSame = isStone && known.version.sequence === version.sequence;
        return !isSame && original(self, peer, bucket, version, known, ...rest);
      }),
  },
];
