/**
 * Whether the fuzzer would notice: deliberate bugs, one at a time, in the code that it tries. One
 * that survives is a hole in an oracle.
 */
import { expect, test, vi } from "vitest";
import { Fuzzer } from "./fuzzer.js";

/** Far more than any of them took. */
const INPUTS_MAX = 200_000;

type Module = Record<string, unknown>;
type Break = (original: Module) => Module;
type Three = (a: number, b: number, c: number, d: number) => number;

const MUTANTS: readonly [string, string, string, Break][] = [
  [
    "reads beyond the captured bytes",
    "packet",
    "packet/dissect/bytes.js",
    ({ room }) => ({
      room: (at: number, size: number, limit: number) =>
        (room as Three)(at, size, limit, Number.MAX_SAFE_INTEGER),
    }),
  ],
  [
    "trusts the length that a packet states",
    "packet",
    "packet/dissect/bytes.js",
    ({ room }) => ({
      room: (at: number, size: number, _limit: number, end: number) =>
        (room as Three)(at, size, Number.MAX_SAFE_INTEGER, end),
    }),
  ],
  [
    "takes an ICMP error for a flow of its own",
    "packet",
    "packet/dissect/quote.js",
    () => ({ dissectQuote: () => 0 }),
  ],
  [
    "accepts under a lease that is over",
    "packet",
    "state/lease-word.js",
    () => ({ leaseLeft: () => 1 }),
  ],
  [
    "accepts without authentication",
    "datagram",
    "cluster/transport/seal.js",
    ({ AES_GCM }) => {
      const unseal = (_key: Uint8Array, bytes: Uint8Array) => bytes.slice(28, -16);
      return { AES_GCM: { ...(AES_GCM as object), unseal } };
    },
  ],
  [
    "has no anti-replay window",
    "datagram",
    "cluster/transport/window.js",
    () => ({
      ReplayWindow: class {
        accept = () => true;
      },
    }),
  ],
  [
    "believes a heartbeat's counts",
    "member",
    "cluster/frame/heartbeat.js",
    () => ({ isHeartbeat: (bytes: Uint8Array) => bytes[0] === 1 && bytes.length >= 52 }),
  ],
  [
    "lets a peer write past the filters",
    "stream",
    "cluster/flows/shelf.js",
    ({ Shelf }) => ({
      Shelf: class extends (Shelf as new (...all: never[]) => { out(output: unknown): void }) {
        kernel(op: string, record: unknown) {
          this.out({ kind: "kernel", op, record });
        }
      },
    }),
  ],
  [
    "reads an op beyond its end",
    "stream",
    "cluster/flows/cursor.js",
    ({ ByteReader }) => ({
      ByteReader: class extends (ByteReader as new (bytes: Uint8Array) => object) {
        text(): string {
          return "x".repeat(600);
        }
      },
    }),
  ],
  [
    "lets an attribute end behind its message",
    "netlink",
    "kernel/conntrack/attributes.js",
    ({ AttributeReader }) => ({
      AttributeReader: class extends (AttributeReader as new () => object) {
        has(): boolean {
          return true;
        }
      },
    }),
  ],
  [
    "refuses a configuration by a crash",
    "config",
    "config/lines.js",
    () => ({
      lineOf: () => {
        throw new TypeError("no line");
      },
    }),
  ],
];

test.each(MUTANTS)("a bug that %s is found (%s)", async (_what, target, module, damage) => {
  vi.resetModules();
  const path = `../../src/${module}`;
  vi.doMock(path, async (original) => {
    const whole = (await original()) as Module;
    return { ...whole, ...damage(whole) };
  });
  try {
    const { TARGETS } = await import("./targets/index.js");
    const fuzzer = new Fuzzer((TARGETS[target] as (typeof TARGETS)[string])(), 1);
    const finding = await fuzzer.run(INPUTS_MAX);
    expect(finding).not.toBeNull();
  } finally {
    vi.doUnmock(path);
  }
});
