/** The sync thread as control sees it: what it said for an older question does not count. */
import type { MessagePort } from "node:worker_threads";
import { beforeEach, describe, expect, test } from "vitest";
import type { FlowInput } from "../../../src/cluster/output.js";
import { type Bitmap, bitmapOf, emptyBitmap } from "../../../src/cluster/ranges/bitmap.js";
import type { StreamReply, SyncReply, SyncRequest } from "../../../src/cluster/sync/messages.js";
import { Replication } from "../../../src/cluster/sync/replication.js";

const BUCKETS = 64;
const SELF = { node: 1, incarnation: 7n };
const NONE = emptyBitmap(BUCKETS);

const buckets = (first: number, last: number): Bitmap => bitmapOf([[first, last]], BUCKETS);
const want = (planned: Bitmap, ticket: number): FlowInput => ({
  kind: "want",
  ...{ claimed: NONE, planned, ticket },
});

describe("usable buckets", () => {
  let replication: Replication;
  let say: (reply: SyncReply) => void;
  const usable = (of: Bitmap, ticket: number, incarnation = 7n): StreamReply => ({
    kind: "usable",
    ...{ buckets: of, ticket, incarnation },
  });
  const isUsable = (bucket: number) => replication.isUsable?.(bucket);

  beforeEach(() => {
    const port = {
      on: (_: string, listener: (reply: SyncReply) => void) => {
        say = listener;
      },
      postMessage: () => {},
    };
    const nothing = () => {};
    replication = new Replication(port as unknown as MessagePort, BUCKETS, nothing, nothing, true);
    replication.tell({ kind: "self", self: SELF });
  });

  test("are what the last answer says", () => {
    replication.tell(want(buckets(0, 9), 1));
    expect(isUsable(3)).toBe(false);
    say(usable(buckets(0, 4), 1));
    expect([isUsable(3), isUsable(7)]).toEqual([true, false]);
  });

  test("that are wanted again are not usable until the answer to that: they may be going", () => {
    replication.tell(want(buckets(0, 9), 1));
    say(usable(buckets(0, 9), 1));
    replication.tell(want(buckets(5, 9), 2));
    say(usable(buckets(0, 9), 2)); // the others linger
    replication.tell(want(buckets(0, 9), 3));
    expect([isUsable(3), isUsable(7)]).toEqual([false, true]);
    say(usable(buckets(0, 9), 2)); // was on its way
    expect(isUsable(3)).toBe(false);
    say(usable(buckets(5, 9), 3));
    expect([isUsable(3), isUsable(7)]).toEqual([false, true]);
  });

  test("of another incarnation are none", () => {
    replication.tell(want(buckets(0, 9), 1));
    say(usable(buckets(0, 9), 1));
    replication.tell({ kind: "self", self: { ...SELF, incarnation: 8n } });
    expect(isUsable(3)).toBe(false);
    say(usable(buckets(0, 9), 1));
    expect(isUsable(3)).toBe(false);
    say(usable(buckets(0, 9), 1, 8n));
    expect(isUsable(3)).toBe(true);
  });
});

describe("buckets that may be claimed", () => {
  test("are those that were told last, as of the question that was answered last", () => {
    let say: (reply: SyncReply) => void = () => {};
    const asked: SyncRequest[] = [];
    const port = {
      on: (_: string, listener: (reply: SyncReply) => void) => {
        say = listener;
      },
      postMessage: (request: SyncRequest) => asked.push(request),
    };
    const nothing = () => {};
    const replication = new Replication(port as unknown as MessagePort, BUCKETS, nothing, nothing);
    replication.tell({ kind: "self", self: SELF });
    expect(replication.answeredMs()).toBe(Number.NEGATIVE_INFINITY);
    replication.tell({ kind: "ask", atMs: 10 });
    expect(asked.at(-1)).toEqual({ kind: "ask", atMs: 10 });
    const owners = Uint8Array.from({ length: BUCKETS }, (_, bucket) => (bucket < 10 ? 3 : 0));
    say({ kind: "ready", owners, incarnation: 7n });
    expect(replication.answeredMs()).toBe(Number.NEGATIVE_INFINITY);
    say({ kind: "answer", atMs: 10, incarnation: 7n });
    expect([replication.mayClaim(9, 3), replication.mayClaim(10, 3)]).toEqual([true, false]);
    expect(replication.mayClaim(9, 2)).toBe(false); // its flows may be others
    expect(replication.answeredMs()).toBe(10);
    replication.tell({ kind: "self", self: { ...SELF, incarnation: 8n } });
    say({ kind: "answer", atMs: 10, incarnation: 7n });
    expect(replication.answeredMs()).toBe(Number.NEGATIVE_INFINITY);
  });
});
