import { describe, expect, test } from "vitest";
import { KEYS_PER_SECOND_MAX, SESSIONS_MAX } from "../../../src/cluster/limits.js";
import { newRefusalCounters, type Refusal } from "../../../src/cluster/refusal.js";
import { clusterIdOf, deriveKey } from "../../../src/cluster/transport/seal.js";
import { Sessions } from "../../../src/cluster/transport/sessions.js";
import { Transport, type TransportSettings } from "../../../src/cluster/transport/transport.js";

const SETTINGS: TransportSettings = {
  id: 1,
  name: "edge",
  secret: new Uint8Array(32).fill(1),
  otherSecret: null,
  links: 2,
  datagramBytesMax: 1400,
};
const BODY = Uint8Array.from([1, 2, 3]);

function transport(own: Partial<TransportSettings> = {}, incarnation = 11n) {
  const refused = newRefusalCounters();
  const made = new Transport({ ...SETTINGS, ...own }, refused);
  made.restart(incarnation);
  return { transport: made, refused };
}

/** The counters that are not 0. */
function counted(refused: Record<Refusal, number>): Partial<Record<Refusal, number>> {
  return Object.fromEntries(Object.entries(refused).filter(([, count]) => count > 0));
}

describe("transport", () => {
  test("what one seals the other opens, once on each link", () => {
    const sender = transport().transport;
    const { transport: receiver, refused } = transport({ id: 2 });
    for (const link of [0, 1]) {
      const bytes = sender.seal(link, BODY);
      const opened = receiver.open(bytes, 0);
      expect(opened?.header).toMatchObject({ sender: 1, link, incarnation: 11n, counter: 0 });
      expect(Uint8Array.from(opened?.body ?? [])).toEqual(BODY);
      expect(receiver.open(bytes, 0)).toBeNull();
    }
    expect(counted(refused)).toEqual({ replayed: 2 });
  });

  test("one body sealed twice gives two different datagrams, and so does a new incarnation", () => {
    const sender = transport().transport;
    const sealed = [sender.seal(0, BODY), sender.seal(0, BODY), sender.seal(1, BODY)];
    sender.restart(12n);
    sealed.push(sender.seal(0, BODY));
    const encrypted = sealed.map((bytes) => Buffer.from(bytes.subarray(28)).toString("hex"));
    expect(new Set(encrypted).size).toBe(4);
  });

  const good = transport().transport.seal(0, BODY);
  const flip = (at: number, value: number) => {
    const bytes = good.slice();
    bytes[at] = value;
    return bytes;
  };
  const refusals: [Refusal, Uint8Array][] = [
    ["tooShort", new Uint8Array()],
    ["tooShort", good.subarray(0, 43)],
    ["tooLong", new Uint8Array(1401)],
    ["badMagic", flip(0, 0)],
    ["badVersion", flip(4, 9)],
    ["otherCluster", transport({ name: "core" }).transport.seal(0, BODY)],
    ["badSender", flip(5, 0)],
    ["badLink", flip(6, 4)],
    ["ownEcho", transport({ id: 2 }).transport.seal(0, BODY)],
    ["badAuth", transport({ secret: new Uint8Array(32) }).transport.seal(0, BODY)],
    ["badAuth", flip(5, 3)],
    ["badAuth", flip(6, 1)],
    ["badAuth", flip(7, 1)],
    ["badAuth", flip(19, 1)],
    ["badAuth", flip(27, 1)],
    ["badAuth", flip(28, good[28] ^ 1)],
    ["badAuth", flip(good.length - 1, good[good.length - 1] ^ 1)],
  ];
  test.each(refusals)("%s is counted, and nothing else", (reason, bytes) => {
    const { transport: receiver, refused } = transport({ id: 2 });
    expect(receiver.open(bytes, 0)).toBeNull();
    expect(counted(refused)).toEqual({ [reason]: 1 });
    expect(receiver.open(good, 0)).not.toBeNull();
  });

  test("a flood of unknown incarnations is rationed, known ones are still heard", () => {
    const { transport: receiver, refused } = transport({ id: 2 });
    const sender = transport().transport;
    expect(receiver.open(sender.seal(0, BODY), 0)).not.toBeNull();
    for (let incarnation = 100; incarnation < 400; incarnation++) {
      const forged = good.slice();
      new DataView(forged.buffer, forged.byteOffset).setBigUint64(12, BigInt(incarnation));
      receiver.open(forged, 500);
    }
    const derived = KEYS_PER_SECOND_MAX - 1;
    expect(counted(refused)).toEqual({ badAuth: derived, rateLimited: 300 - derived });
    expect(receiver.open(sender.seal(0, BODY), 500)).not.toBeNull();
    expect(receiver.open(transport({}, 12n).transport.seal(0, BODY), 1000)).not.toBeNull();
  });

  describe("while secrets are exchanged", () => {
    const [A, B, C] = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte));
    const node = (
      secret: Uint8Array = A as Uint8Array,
      otherSecret: Uint8Array | null = null,
      id = 1,
    ) => transport({ secret, otherSecret, id });

    // As the files of a rotation follow each other: A; A next B; B old A; B.
    const steps = [
      [A, null],
      [A, B],
      [B, A],
      [B, null],
    ] as [Uint8Array, Uint8Array | null][];

    test.each([0, 1, 2])("nodes of steps %i and the next understand each other", (step) => {
      for (const [from, to] of [
        [step, step + 1],
        [step + 1, step],
        [step, step],
      ]) {
        const { transport: sender } = node(...(steps[from as number] as (typeof steps)[number]));
        const { transport: receiver, refused } = node(
          ...(steps[to as number] as (typeof steps)[number]),
          2,
        );
        for (let round = 0; round < 3; round++) {
          expect(receiver.open(sender.seal(0, BODY), 0)).not.toBeNull();
        }
        expect(counted(refused)).toEqual({});
      }
    });

    test("the first and the last step do not, and a third secret never", () => {
      const pairs = [
        [node(A), node(B, null, 2)],
        [node(C), node(A, B, 2)],
      ];
      for (const [from, to] of pairs) {
        expect(to?.transport.open(from?.transport.seal(0, BODY) as Uint8Array, 0)).toBeNull();
        expect(counted(to?.refused as Record<Refusal, number>)).toEqual({ badAuth: 1 });
      }
    });

    test("an incarnation that sealed with one secret is not believed with the other", () => {
      const { transport: receiver, refused } = node(A, B, 2);
      expect(receiver.open(node(A).transport.seal(0, BODY), 0)).not.toBeNull();
      expect(receiver.open(node(B).transport.seal(1, BODY), 0)).toBeNull();
      expect(counted(refused)).toEqual({ badAuth: 1 });
    });

    test("two keys each count twice in the ration of derivations", () => {
      const { transport: receiver, refused } = node(A, B, 2);
      const forged = node(C).transport.seal(0, BODY);
      for (let incarnation = 100; incarnation < 300; incarnation++) {
        new DataView(forged.buffer).setBigUint64(12, BigInt(incarnation));
        receiver.open(forged, 0);
      }
      const tried = KEYS_PER_SECOND_MAX / 2;
      expect(counted(refused)).toEqual({ badAuth: tried, rateLimited: 200 - tried });
    });
  });

  test("a body that does not fit is our own mistake", () => {
    const sender = transport().transport;
    expect(sender.seal(0, new Uint8Array(1400 - 44)).length).toBe(1400);
    expect(() => sender.seal(0, new Uint8Array(1400 - 43))).toThrow(RangeError);
  });
});

describe("keys", () => {
  test("sender, incarnation, name and secret each give another key", () => {
    const { secret } = SETTINGS;
    const keys = [
      deriveKey(secret, "edge", 1, 1n),
      deriveKey(secret, "edge", 2, 1n),
      deriveKey(secret, "edge", 1, 2n),
      deriveKey(secret, "core", 1, 1n),
      deriveKey(new Uint8Array(32), "edge", 1, 1n),
    ].map((key) => Buffer.from(key).toString("hex"));
    expect(new Set(keys).size).toBe(5);
    expect(clusterIdOf("edge")).not.toBe(clusterIdOf("core"));
  });

  test("only sessions that proved authentic are kept, and not without bound", () => {
    const sessions = new Sessions(1, () => [new Uint8Array(32)]);
    for (let sender = 0; sender < 2 * SESSIONS_MAX; sender++) {
      const session = sessions.find(sender, 1n, sender * 1000);
      expect(sessions.size).toBe(Math.min(sender, SESSIONS_MAX));
      if (session) sessions.keep(session);
    }
    expect(sessions.size).toBe(SESSIONS_MAX);
  });
});
