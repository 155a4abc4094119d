import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { COUNTER_LIMIT, WINDOW_COUNTERS } from "../../../src/cluster/limits.js";
import { ReplayWindow } from "../../../src/cluster/transport/window.js";

const W = WINDOW_COUNTERS;
const TESTDATA = process.env.SHARDWALL_TESTDATA ?? join(process.cwd(), "../shared/testdata");
const VECTORS = join(TESTDATA, "vectors/wireguard_replay.json");
const isThere = existsSync(VECTORS);
if (!isThere) console.warn(`SKIPPED: ${VECTORS} is missing`);

/** "4L-(L-1)" with L = W + 1 and R = the limit, as a number. */
function counterOf(symbol: number | string): number {
  const names: Record<string, number> = { L: W + 1, R: COUNTER_LIMIT };
  const flat = String(symbol)
    .replace(/-\(L-(\d+)\)/, "-L+$1")
    .replace(/-\(L\+(\d+)\)/, "-L-$1");
  const terms = flat.match(/[+-]?[^+-]+/g) ?? [];
  return terms.reduce((sum, term) => {
    const [, sign, factor, name] = /^([+-]?)(\d*)([LR]?)$/.exec(term) as RegExpExecArray;
    const value = (factor === "" ? 1 : Number(factor)) * (names[name] ?? 1);
    return sum + (sign === "-" ? -value : value);
  }, 0);
}

describe("anti-replay window", () => {
  test.skipIf(!isThere)("WireGuard's sequence, step by step", () => {
    const { sequence } = JSON.parse(readFileSync(VECTORS, "utf8"));
    const window = new ReplayWindow();
    for (const [index, [symbol, accepted]] of sequence.entries()) {
      const got = window.accept(counterOf(symbol));
      expect([index, symbol, got]).toEqual([index, symbol, accepted === 1]);
    }
    expect(sequence.length).toBe(34);
  });

  const bulk: [string, number[], number[], number[]][] = [
    ["up from 1, then 0", up(1, W), [0], [0]],
    ["up from 2, then 1", up(2, W + 1), [1], [0]],
    ["down to 1", up(1, W + 1).reverse(), [], []],
    ["down to 2, 0 is too old", up(2, W + 2).reverse(), [], [0]],
    ["down from W to 1, then W + 1", up(1, W).reverse(), [W + 1], [0]],
    ["down from W to 1, then 0 and W + 1", up(1, W).reverse(), [0, W + 1], []],
  ];
  test.each(bulk)("WireGuard's bulk case: %s", (_name, first, accepted, refused) => {
    const window = new ReplayWindow();
    for (const counter of [...first, ...accepted]) expect(window.accept(counter)).toBe(true);
    for (const counter of refused) expect(window.accept(counter)).toBe(false);
  });

  test("agrees with a plain set, for any order", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 200 }), (counters) => {
        const window = new ReplayWindow(64);
        const seen = new Set<number>();
        let newest = 0;
        for (const counter of counters) {
          const isNew = !seen.has(counter) && newest - counter <= 64;
          expect(window.accept(counter)).toBe(isNew);
          seen.add(counter);
          newest = Math.max(newest, counter);
        }
      }),
    );
  });
});

function up(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
