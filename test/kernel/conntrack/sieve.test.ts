/** What the sieve keeps back, passes on and forgets, of events as the kernel lays them out. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CTA, TCP_STATES } from "../../../src/kernel/conntrack/constants.js";
import { readDatagram } from "../../../src/kernel/conntrack/message.js";
import { Sieve } from "../../../src/kernel/conntrack/sieve.js";
import { changes, eventBytes, type Happening } from "../../fixture/conntrack-events.js";

const WAIT_MS = 100;
const TWIN = 100;

/** A sieve, and what comes through it. */
function open(isPlainOnly = false) {
  const told: string[] = [];
  const broken: string[] = [];
  const visitor = changes(
    (line) => told.push(line),
    (error) => broken.push(error),
  );
  const sieve = new Sieve({ waitMs: WAIT_MS, isPlainOnly }, (bytes, at, length) =>
    readDatagram(bytes, at, length, visitor),
  );
  let now = 1000;
  const happen = (...all: Happening[]) => {
    for (const each of all) {
      const bytes = eventBytes(each);
      sieve.offer(bytes, 0, bytes.length, now);
    }
    return told.splice(0);
  };
  const wait = (ms: number) => {
    now += ms;
    sieve.release(now);
    return told.splice(0);
  };
  return { sieve, happen, wait, told, broken, now: () => now };
}

const born = (id: number, state = "SYN_SENT"): Happening => ({ change: "new", id, state });
const changed = (id: number, state: string): Happening => ({ change: "update", id, state });
const gone = (id: number): Happening => ({ change: "destroy", id });

describe("a flow that lives for a moment", () => {
  test("is never told of, nor its end", () => {
    const { happen, wait, sieve } = open();
    const short = [born(1), changed(1, "SYN_RECV"), changed(1, "ESTABLISHED")];
    expect(happen(...short, changed(1, "FIN_WAIT"), changed(1, "TIME_WAIT"))).toEqual([]);
    expect(wait(10 * WAIT_MS)).toEqual([]);
    expect(happen(gone(1))).toEqual([]);
    expect(sieve.coalesced).toBe(1);
  });

  test("also where it is destroyed before it is over", () => {
    const { happen, wait, sieve } = open();
    expect(happen(born(1), gone(1))).toEqual([]);
    expect(wait(WAIT_MS)).toEqual([]);
    expect(sieve.coalesced).toBe(1);
  });

  test("is told of when its id and its ports come back and stay", () => {
    const { happen, wait } = open();
    happen(born(1), changed(1, "CLOSE"), born(1));
    expect(wait(WAIT_MS)).toEqual(["new 1 SYN_SENT"]);
    expect(happen(gone(1))).toEqual(["destroy 1"]);
  });
});

describe("a flow that lives on", () => {
  test("is told of once, as it is then, and from then on at once", () => {
    const { happen, wait } = open();
    expect(happen(born(1), changed(1, "SYN_RECV"), changed(1, "ESTABLISHED"))).toEqual([]);
    expect(wait(WAIT_MS - 1)).toEqual([]);
    expect(wait(1)).toEqual(["update 1 ESTABLISHED"]);
    expect(happen(changed(1, "FIN_WAIT"))).toEqual(["update 1 FIN_WAIT"]);
    expect(happen(changed(1, "TIME_WAIT"), gone(1))).toEqual(["update 1 TIME_WAIT", "destroy 1"]);
  });

  test("of which a change says less than the one before: both are told, in their order", () => {
    const { happen } = open();
    expect(happen(born(1), { change: "update", id: 1 })).toEqual(["new 1 SYN_SENT", "update 1"]);
  });

  test("that gets a helper is told of at once, behind what was kept back", () => {
    const { happen } = open();
    const helped: Happening = { ...changed(2, "ESTABLISHED"), extra: CTA.HELP };
    expect(happen(born(1), born(2), helped)).toEqual([
      "new 1 SYN_SENT",
      "new 2 SYN_SENT",
      "update 2 ESTABLISHED",
    ]);
  });

  test("with the id of another: neither is taken for the other", () => {
    const { happen, wait } = open();
    const other: Happening = { ...changed(1, "TIME_WAIT"), port: 999 };
    expect(happen(born(1), other)).toEqual(["update 999 TIME_WAIT"]);
    expect(wait(WAIT_MS)).toEqual(["new 1 SYN_SENT"]);
  });

  test("that is translated is told of at once where only plain ones may wait", () => {
    const { happen, wait } = open(true);
    expect(happen({ ...born(1), replyPort: 7 })).toEqual(["new 1 SYN_SENT"]);
    expect(happen(born(2))).toEqual([]);
    expect(wait(WAIT_MS)).toEqual(["new 2 SYN_SENT"]);
  });
});

test("a flow that was put into the table is told of at once, and its end too", () => {
  const { happen, sieve } = open();
  const put = { ...born(1), by: 4711 };
  expect(happen(put, gone(1))).toEqual(["new 1 SYN_SENT", "destroy 1"]);
  expect(happen({ ...put, id: 2 }, changed(2, "TIME_WAIT"))).toEqual([
    "new 2 SYN_SENT",
    "update 2 TIME_WAIT",
  ]);
  expect(sieve.coalesced).toBe(0);
});

test("open, it passes on what it has, and everything from then on", () => {
  const { sieve, happen, told } = open();
  happen(born(1), born(2), changed(2, "TIME_WAIT"));
  sieve.open(true);
  expect(told.splice(0)).toEqual(["new 1 SYN_SENT"]);
  // Somebody may have heard of 2 from elsewhere by now.
  expect(happen(gone(2), born(3), gone(3))).toEqual(["destroy 2", "new 3 SYN_SENT", "destroy 3"]);
  sieve.open(false);
  expect(happen(born(4), gone(4))).toEqual([]);
});

test("full, it passes on what it has no room for", () => {
  const { happen, wait } = open();
  const flood = Array.from({ length: 5000 }, (_, id) => born(id + 1));
  const [through, kept] = [happen(...flood), wait(WAIT_MS)];
  expect(kept.length).toBe(4096);
  expect(new Set([...through, ...kept]).size).toBe(5000);
});

test("what cannot be read is passed on, to be counted", () => {
  const { sieve, broken, now } = open();
  const whole = eventBytes(born(1));
  for (let length = 0; length < whole.length; length++) sieve.offer(whole, 0, length, now());
  expect(broken.length).toBeGreaterThan(whole.length - 20);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      sieve.offer(Buffer.from(bytes), 0, bytes.length, now());
    }),
  );
});

describe("whatever happens", () => {
  const step = fc.oneof(
    { weight: 1, arbitrary: fc.record({ wait: fc.integer({ min: 1, max: 2 * WAIT_MS }) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        change: fc.constantFrom("new", "update", "update", "destroy") as fc.Arbitrary<
          Happening["change"]
        >,
        id: fc.integer({ min: 1, max: 4 }),
        isTwin: fc.boolean(),
        state: fc.option(fc.constantFrom(...TCP_STATES), { nil: undefined }),
        extra: fc.option(fc.constant(CTA.HELP), { nil: undefined, freq: 8 }),
      }),
    },
  );

  /** Flows that a listener knows in the end, with the last state it heard of. */
  function believed(lines: readonly string[]): Map<string, string> {
    const known = new Map<string, string>();
    for (const line of lines) {
      const [change, flow, state = ""] = line.split(" ") as [string, string, string?];
      if (change === "destroy" || state === "TIME_WAIT" || state === "CLOSE") known.delete(flow);
      else known.set(flow, state || (known.get(flow) ?? ""));
    }
    return known;
  }

  test("who listens behind it believes in the end what all events say", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { happen, wait } = open();
        const [direct, sieved]: [string[], string[]] = [[], []];
        const visitor = changes((line) => direct.push(line));
        for (const each of steps) {
          if ("wait" in each) {
            sieved.push(...wait(each.wait));
            continue;
          }
          // Another flow with the same id; never another id with the same ports.
          const event = each.isTwin ? { ...each, port: each.id + TWIN } : each;
          const bytes = eventBytes(event);
          readDatagram(bytes, 0, bytes.length, visitor);
          sieved.push(...happen(event));
        }
        sieved.push(...wait(WAIT_MS));
        expect(believed(sieved)).toEqual(believed(direct));
      }),
      { numRuns: 300 },
    );
  });
});
