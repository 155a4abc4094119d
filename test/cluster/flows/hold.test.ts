/** Which held replies leave when: a table of transcripts. */
import { beforeEach, describe, expect, test } from "vitest";
import { type Follower, newFollower } from "../../../src/cluster/broadcast/follower.js";
import { Hold } from "../../../src/cluster/flows/hold.js";
import type { FlowOutput } from "../../../src/cluster/flows/output.js";
import type { Replicated } from "../../../src/cluster/flows/record.js";
import { open, settled } from "./settled.js";

const HOLD_MS = 100;
/** Frames that were sent before. */
const SENT = 10;

let sent = SENT;
let followers: Follower[] = [];
let outputs: FlowOutput[] = [];
let hold: Hold;

beforeEach(() => {
  sent = SENT;
  followers = [peer(2), peer(3)];
  outputs = [];
  hold = new Hold({
    holdMs: HOLD_MS,
    followers: () => followers,
    sent: () => sent,
    out: (output) => outputs.push(output),
  });
});

/** A peer that has acknowledged all that was sent. */
function peer(node: number): Follower {
  const follower = newFollower({ node, incarnation: BigInt(node) }, 16);
  acknowledge(follower, SENT);
  return follower;
}

function acknowledge(follower: Follower, frames: number, isComplete = true): void {
  follower.acknowledged = { isFollowing: true, isComplete, lag: 0, frames };
}

function released(): number[] {
  return outputs.splice(0).flatMap((output) => (output.kind === "release" ? output.tickets : []));
}

function told(): string[] {
  return outputs.flatMap((output) =>
    output.kind === "event" && "peer" in output.event
      ? [`${output.event.name} ${output.event.peer.node}`]
      : [],
  );
}

/** A reply whose flow is told of in the next frame. */
function ask(ticket: number, now: number): void {
  sent += 1;
  hold.ask(ticket, sent - 1, now);
}

describe("a reply leaves", () => {
  test("at once when there is nothing to wait for", () => {
    hold.ask(1, null, 0);
    expect(released()).toEqual([1]);
  });

  test("at once when all peers have its flow", () => {
    hold.ask(1, SENT - 1, 0);
    expect(released()).toEqual([1]);
    expect(hold.counters).toMatchObject({ held: 1, heldAtOnce: 1 });
  });

  test("at once when there are no peers", () => {
    followers = [];
    ask(1, 0);
    expect(released()).toEqual([1]);
  });

  test("with the acknowledgement of the last peer", () => {
    ask(1, 0);
    acknowledge(followers[0] as Follower, sent);
    hold.settle();
    expect(released()).toEqual([]);
    acknowledge(followers[1] as Follower, sent);
    hold.settle();
    expect(released()).toEqual([1]);
    expect(hold.counters).toMatchObject({ heldDone: 1, heldLate: 0 });
  });

  test("in any order: each with its own frame", () => {
    ask(1, 0);
    ask(2, 0);
    for (const follower of followers) acknowledge(follower, sent - 1);
    hold.settle();
    expect(released()).toEqual([1]);
    hold.ask(3, sent - 2, 0); // the same flow's reply again
    expect(released()).toEqual([3]);
  });

  test("when the peer that it waits for has gone", () => {
    ask(1, 0);
    acknowledge(followers[0] as Follower, sent);
    followers.pop();
    hold.settle();
    expect(released()).toEqual([1]);
  });

  test("when its node has given everything up", () => {
    ask(1, 0);
    hold.clear();
    expect(released()).toEqual([1]);
    expect(hold.report(0)).toEqual({ waiting: 0, cutOff: [] });
  });

  test("without a newcomer that has not our table yet, or has said nothing", () => {
    acknowledge(followers[1] as Follower, 0, false);
    followers.push(newFollower({ node: 4, incarnation: 4n }, 16));
    ask(1, 0);
    acknowledge(followers[0] as Follower, sent);
    hold.settle();
    expect(released()).toEqual([1]);
  });
});

describe("a peer that does not acknowledge", () => {
  /** Node 3 lets the first reply wait for the whole time. */
  function cutThreeOff(): void {
    ask(1, 0);
    acknowledge(followers[0] as Follower, sent);
    hold.onTick(HOLD_MS - 1);
    expect(released()).toEqual([]);
    hold.onTick(HOLD_MS);
  }

  test("is waited for no longer than holdMs, then cut off, and nobody else is", () => {
    cutThreeOff();
    expect(told()).toEqual(["cutOff 3"]);
    expect(released()).toEqual([1]);
    expect(hold.report(HOLD_MS + 5)).toEqual({ waiting: 0, cutOff: [{ node: 3, forMs: 5 }] });
    expect(hold.counters).toMatchObject({ heldLate: 1, cutOffs: 1 });
  });

  test("costs later replies nothing", () => {
    cutThreeOff();
    outputs = [];
    ask(2, HOLD_MS + 1);
    acknowledge(followers[0] as Follower, sent);
    hold.settle();
    expect(released()).toEqual([2]);
  });

  test("lets those go that wait for it alone", () => {
    ask(1, 0);
    ask(2, HOLD_MS - 10);
    acknowledge(followers[0] as Follower, sent);
    hold.onTick(HOLD_MS);
    expect(released()).toEqual([1, 2]);
    expect(hold.counters).toMatchObject({ heldLate: 1, heldDone: 1 });
  });

  test("is waited for again when it has all that was told until it was cut off", () => {
    cutThreeOff();
    outputs = [];
    const [, three] = followers as [Follower, Follower];
    acknowledge(three, sent - 1);
    hold.onTick(HOLD_MS + 10);
    expect(hold.report(HOLD_MS)?.cutOff).toHaveLength(1);
    acknowledge(three, sent);
    hold.onTick(HOLD_MS + 20);
    expect(told()).toEqual(["caughtUp 3"]);
    ask(2, HOLD_MS + 30);
    acknowledge(followers[0] as Follower, sent);
    hold.settle();
    expect(released()).toEqual([]);
  });

  test("is forgotten when it dies: its successor begins anew", () => {
    cutThreeOff();
    followers = [followers[0] as Follower, { ...peer(3), incarnation: 99n }];
    hold.onTick(HOLD_MS + 10);
    expect(hold.report(HOLD_MS)?.cutOff).toEqual([]);
  });

  test("all of them: each is cut off once", () => {
    ask(1, 0);
    ask(2, 0);
    hold.onTick(HOLD_MS);
    expect(released()).toEqual([1, 2]);
    hold.onTick(HOLD_MS + 10);
    expect(hold.counters.cutOffs).toBe(2);
  });
});

const isTcp = ({ protocol }: Replicated) => protocol === 6;

describe("between nodes", () => {
  test("the peer's kernel has the flow before the reply leaves, long before the window", () => {
    const world = settled(71, 2, { holdMs: HOLD_MS });
    const [a, b] = world.boxes;
    const record = open(world, a, 1, { state: "opening", status: 0x2 });
    const start = world.now;
    world.act(a, (sync) => sync.onHeld([{ ticket: 7, record }], world.now));
    const took = world.runUntil(HOLD_MS, () => a.released.includes(7));
    expect(took).not.toBeNull();
    expect(world.now - start).toBeLessThan(20);
    expect(b.kernel.size).toBe(1);
    expect(a.sync?.health(world.now).counters).toMatchObject({ heldDone: 1 });
  });

  test("a lost frame is repaired within the hold", () => {
    const world = settled(72, 2, { holdMs: HOLD_MS });
    const [a, b] = world.boxes;
    let lost = 0;
    world.passes = (from, _to, body) => from !== a || body[0] !== 3 || lost++ > 0;
    const record = open(world, a, 1);
    world.act(a, (sync) => sync.onHeld([{ ticket: 7, record }], world.now));
    expect(world.runUntil(HOLD_MS, () => a.released.includes(7))).not.toBeNull();
    expect(b.kernel.size).toBe(1);
  });

  test("flows that are over, foreign, or left out are not waited for, nor told", () => {
    const world = settled(73, 2, { holdMs: HOLD_MS, isWanted: isTcp });
    const [a, b] = world.boxes;
    const over = { ...open(world, a, 1), state: "over" } as const;
    const udp = open(world, a, 2, { protocol: 17 });
    const foreign = open(world, b, 3);
    const told = a.sync?.author.counters.told;
    const held = [over, udp, foreign, null].map((record, ticket) => ({ ticket, record }));
    world.act(a, (sync) => sync.onHeld(held, world.now));
    expect(a.released).toEqual([0, 1, 2, 3]);
    expect(a.sync?.author.counters.told).toBe(told);
  });

  test("a port that is used again before its end was told is another flow", () => {
    const world = settled(74, 2, { holdMs: HOLD_MS });
    const [a, b] = world.boxes;
    const record = open(world, a, 1);
    world.run(400);
    expect(b.kernel.size).toBe(1);
    world.gone(a, record);
    const again = open(world, a, 1, { state: "opening", status: 0x2 });
    world.act(a, (sync) => sync.onEvents(a.events.splice(0), world.now));
    world.act(a, (sync) => sync.onHeld([{ ticket: 7, record: again }], world.now));
    expect(a.released).toEqual([]);
    world.runUntil(HOLD_MS, () => a.released.includes(7));
    expect([...b.kernel.values()]).toEqual([again]);
  });
});
