/**
 * The border of the addon under attack from its own side: for each guard an argument that it must
 * refuse, on objects that are closed, foreign or half made. `npm run sanitize` runs this file under
 * the sanitizers, where reading one byte too many ends the process.
 */
import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { native } from "../../src/platform/native.js";
import { isRoot } from "../fixture/netns.js";

type Any = (...all: unknown[]) => unknown;
const { EventFd, LinkGroup, Netlink, Queue } = native;
const NETFILTER = 12;

const NOT_NUMBERS = [
  undefined,
  null,
  "1",
  {},
  [],
  1n,
  Symbol("x"),
  Number.NaN,
  1.5,
  -(2 ** 40),
  1e300,
];
const NOT_BYTES = [
  undefined,
  null,
  1,
  "bytes",
  [],
  {},
  new ArrayBuffer(128),
  new DataView(new ArrayBuffer(128)),
];
const NOT_WORDS = [
  ...NOT_BYTES,
  new Uint8Array(4096),
  new Uint32Array(1024),
  new Float64Array(512),
];

/** A view whose memory was given away: its length is 0. */
function detached<T extends Uint8Array | Int32Array>(view: T): T {
  structuredClone(view.buffer, { transfer: [view.buffer as ArrayBuffer] });
  expect(view.length).toBe(0);
  return view;
}

/** Calls `call` with each of `wrong` in place of argument `at`; each must be refused by name. */
function refuses(call: Any, good: unknown[], at: number, wrong: readonly unknown[]): void {
  for (const value of wrong) {
    const all = good.with(at, value);
    expect(() => call(...all), `${inspect(value)} as argument ${at}`).toThrow(TypeError);
  }
  if (at === 0) expect(() => call()).toThrow(TypeError);
}

const bound = (object: object, method: string): Any =>
  (object as Record<string, Any>)[method]!.bind(object) as Any;

describe("functions", () => {
  test("nameThread and the schedulers refuse what they cannot use", () => {
    refuses(native.nameThread as Any, [""], 0, [undefined, 7, "x".repeat(16), "ä".repeat(8), {}]);
    refuses(native.niceThread as Any, [0], 0, [...NOT_NUMBERS, -21, 20]);
    refuses(native.realtimeThread as Any, [1], 0, [...NOT_NUMBERS, 0, 100]);
  });

  test("alignTable refuses what is no memory, or less than a huge page of it", () => {
    const few = [new Uint8Array(2 ** 21 - 1), detached(new Uint8Array(2 ** 21))];
    refuses(native.alignTable as Any, [new Uint8Array(2 ** 21)], 0, [...NOT_BYTES, ...few]);
  });
});

describe("constructors", () => {
  test("refuse arguments out of their bounds", () => {
    const queue: Any = (...all) => new Queue(...(all as [number, number, number, number, 0]));
    const good = [7, 256, 64, 65_536, 0];
    const outside = [
      [-1, 65_536],
      [63, 65_536],
      [0, 2 ** 20 + 1],
      [4095, 2 ** 30 + 1],
      [-1, 2],
    ];
    for (const [at, wrong] of outside.entries())
      refuses(queue, good, at, [...NOT_NUMBERS, ...wrong]);
    const netlink: Any = (...all) => new Netlink(...(all as [number, number]));
    refuses(netlink, [NETFILTER, 65_536], 0, [...NOT_NUMBERS, -1, 32]);
    refuses(netlink, [NETFILTER, 65_536], 1, [...NOT_NUMBERS, 4095, 2 ** 31]);
    const group: Any = (...all) => new LinkGroup(...(all as [number, Uint8Array]));
    refuses(group, [1, new Uint8Array(6)], 0, [...NOT_NUMBERS, 0, 2 ** 31]);
    const few = [new Uint8Array(5), detached(new Uint8Array(6))];
    refuses(group, [1, new Uint8Array(6)], 1, [...NOT_BYTES, new Int8Array(6), ...few]);
  });

  test("called without new, or a second time, leave nothing behind", () => {
    const event = new EventFd();
    const again = EventFd as unknown as Any;
    for (let round = 0; round < 100; round++) expect(() => again.call(event)).toThrow(/once/);
    event.signal();
    event.clear();
    event.close();
  });

  test("hundreds of objects that nobody closes are closed by their collection", async () => {
    const code = `
      const { native } = require("node:worker_threads").workerData;
      const addon = require(native);
      for (let i = 0; i < 500; i++) { new addon.EventFd(); new addon.Netlink(12, 65536); }
    `;
    const path = new URL("../../native/build/shardwall.node", import.meta.url).pathname;
    const worker = new Worker(code, { eval: true, workerData: { native: path } });
    const code0 = await new Promise((resolve) => worker.once("exit", resolve));
    expect(code0).toBe(0);
  });
});

describe("methods", () => {
  const others = () => [new EventFd(), new Netlink(NETFILTER, 65_536)];

  test("of one class on an object of another are refused: no type is mistaken", () => {
    const [event, netlink] = others() as [object, object];
    const strangers = [event, netlink, {}, Object.create(Queue.prototype), null, 7, "x"];
    for (const of of [EventFd, Netlink, Queue, LinkGroup]) {
      const methods = Object.getOwnPropertyDescriptors(of.prototype) as PropertyDescriptorMap;
      for (const [name, { value, get }] of Object.entries(methods)) {
        const call = (value ?? get) as Any;
        if (name === "constructor") continue;
        for (const stranger of strangers.filter((each) => !(each instanceof of))) {
          expect(() => call.call(stranger), `${of.name}.${name}`).toThrow(TypeError);
        }
      }
    }
  });

  test("after close fail with EBADF, and a second close is none", () => {
    const [event, netlink] = others() as [
      InstanceType<typeof EventFd>,
      InstanceType<typeof Netlink>,
    ];
    for (const object of [event, netlink]) {
      object.close();
      object.close();
    }
    expect(event.fd).toBe(-1);
    const bytes = new Uint8Array(128);
    const calls: Any[] = [
      () => event.signal(),
      () => event.clear(),
      () => netlink.send(bytes, 16),
      () => netlink.join(1),
      () => netlink.resize(4096),
    ];
    for (const call of calls) expect(call).toThrow(/EBADF/);
    // poll() passes a descriptor of -1 over: nothing comes, and nothing is read.
    expect(netlink.receive(bytes, 0)).toBe(0);
    expect(netlink.receiveMany(bytes, new Int32Array(2), 64, -1, 0)).toBe(0);
  });

  test("of Netlink refuse arrays of the wrong type, too short, or given away", () => {
    const netlink = new Netlink(NETFILTER, 65_536);
    const bytes = () => new Uint8Array(128);
    const send = bound(netlink, "send");
    refuses(send, [bytes(), 16], 0, [...NOT_BYTES, new Uint8Array(0), detached(bytes())]);
    refuses(send, [bytes(), 16], 1, [...NOT_NUMBERS, 0, 129]);
    const receive = bound(netlink, "receive");
    refuses(receive, [bytes(), 0], 0, [...NOT_BYTES, new Uint8Array(63), detached(bytes())]);
    refuses(receive, [bytes(), 0], 1, [...NOT_NUMBERS, -1, 60_001]);
    const many = bound(netlink, "receiveMany");
    const good = [bytes(), new Int32Array(2), 64, -1, 0];
    refuses(many, good, 0, [...NOT_BYTES, new Uint8Array(63), detached(bytes())]);
    refuses(many, good, 1, [...NOT_WORDS, new Int32Array(0), detached(new Int32Array(2))]);
    refuses(many, good, 2, [...NOT_NUMBERS, 63, 129]);
    refuses(many, good, 3, [...NOT_NUMBERS, -2, 2 ** 31]);
    refuses(many, good, 4, [...NOT_NUMBERS, -2, 60_001]);
    refuses(bound(netlink, "join"), [1], 0, [...NOT_NUMBERS, 0, 256]);
    refuses(bound(netlink, "resize"), [4096], 0, [...NOT_NUMBERS, -1, 2 ** 31]);
    netlink.close();
  });

  test("of Netlink take arrays at any alignment, in shared memory, and with room to spare", () => {
    const netlink = new Netlink(NETFILTER, 65_536);
    // An empty request of no type: the kernel answers it with an error, or not at all.
    const request = new Uint8Array(new SharedArrayBuffer(19), 3, 16);
    new DataView(request.buffer).setUint32(3, 16, true);
    new DataView(request.buffer).setUint16(9, 5, true);
    netlink.send(request, 16);
    const odd = new Uint8Array(new ArrayBuffer(300), 1, 257);
    const lengths = new Int32Array(500);
    expect(netlink.receiveMany(odd, lengths, 65, -1, 100)).toBe(1);
    expect(lengths[0]).toBeGreaterThanOrEqual(20);
    netlink.close();
  });

  const asRoot = isRoot ? test : test.skip;
  asRoot(`of LinkGroup refuse what is no frame${isRoot ? "" : " (SKIPPED: needs root)"}`, () => {
    const group = new LinkGroup(1, Uint8Array.of(1, 0, 0x5e, 0, 0, 9));
    const wrong = [...NOT_BYTES, new Uint8Array(13), detached(new Uint8Array(64))];
    refuses(bound(group, "send"), [new Uint8Array(14)], 0, wrong);
    expect(() => group.send(new Uint8Array(100_000))).toThrow(/EMSGSIZE|ENOBUFS/);
    group.close();
    expect(() => group.send(new Uint8Array(60))).toThrow(/EBADF/);
  });
});

// In a plain run there is nothing to ask.
if (process.env.SHARDWALL_SANITIZED !== undefined) {
  test("the sanitizers are at work", () => {
    const maps = readFileSync("/proc/self/maps", "utf8");
    expect(maps).toContain("libasan");
    expect(maps).toContain("libubsan"); // comes with the sanitized addon alone
  });
}
