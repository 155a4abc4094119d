/** The fuzzer itself, and a short run of the whole; `npm run fuzz` is the long one. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { fixture } from "../fixture/netns.js";
import { folder } from "../fixture/testdata-folder.js";
import { hasTestdata } from "./corpus.js";
import { Fuzzer, replay } from "./fuzzer.js";
import { mutate } from "./mutate.js";
import { Random } from "./random.js";
import { check, newInput, type Target } from "./target.js";
import { TARGETS } from "./targets/index.js";
import { FuzzThread } from "./watch.js";

const SECONDS_EACH = 2;
const SCRIPT = fileURLToPath(new URL("../../scripts/fuzz.mjs", import.meta.url));

/** Goes wrong behind three gates, each of which shows itself to the engine. */
class Gates implements Target {
  readonly name = "gates";
  readonly episode = 1;
  readonly input = newInput(16);
  seeds = () => [new Uint8Array(8)];
  reset(): void {}
  run(length: number): number {
    const gates = [0xff, 0x7f, 0x80];
    let open = 0;
    while (open < gates.length && length > open && this.input[open] === gates[open]) open++;
    check(open < gates.length, "behind the last gate");
    return open;
  }
}

describe("the engine", () => {
  test("works its way through gates by what it has seen, the same way each time", async () => {
    const found = await new Fuzzer(new Gates(), 7).run(1_000_000);
    expect(found?.message).toContain("behind the last gate");
    const again = await new Fuzzer(new Gates(), 7).run(1_000_000);
    expect(again).toEqual({ ...found, message: again?.message });
    expect((await new Fuzzer(new Gates(), 8).run(1_000_000))?.number).not.toBe(found?.number);
    await expect(replay(new Gates(), found?.inputs ?? [])).rejects.toThrow("behind the last gate");
  });

  test("a finding of a target with state has all inputs since the state was made", async () => {
    let sum = 0;
    const target: Target = {
      name: "sum",
      episode: 100,
      input: newInput(4),
      seeds: () => [Uint8Array.of(1)],
      reset: () => {
        sum = 0;
      },
      run: (length) => {
        sum += length;
        check(sum < 50, "too much");
        return 0;
      },
    };
    const found = await new Fuzzer(target, 1).run(1000);
    expect(found?.inputs.length).toBeGreaterThan(10);
    await expect(replay(target, found?.inputs ?? [])).rejects.toThrow("too much");
  });

  test("mutations stay within the room there is", () => {
    const random = new Random(3);
    const other = new Uint8Array(40).fill(7);
    const lengths = new Set<number>();
    const bytes = new Uint8Array(32);
    for (let round = 0, length = 0; round < 20_000; round++) {
      length = mutate(bytes, length, other, random);
      expect(length >= 0 && length <= bytes.length).toBe(true);
      lengths.add(length);
    }
    expect(lengths.size).toBe(33);
  });

  test("a thread that hangs is ended, and the input it hangs on is told", async () => {
    const script = new URL(`file://${fixture("hanging-fuzzer.mjs")}`);
    const thread = new FuzzThread(script, { target: "packet", seed: 1, count: 1 }, 1000);
    const { finding } = await thread.result;
    expect(finding?.message).toContain("no progress");
    expect(finding?.inputs).toEqual(["dead42"]);
  });
});

describe("a short run", () => {
  const corpus = hasTestdata ? "" : ` (WITHOUT CAPTURES: no test data in ${folder})`;

  test(`finds nothing in any target${corpus}`, () => {
    const args = [SCRIPT, "--seconds", String(SECONDS_EACH), "--seed", "1"];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect([status, stdout, stderr]).toEqual([0, stdout, stderr]);
    const lines = stdout.trim().split("\n");
    const results = lines.map((line) => JSON.parse(line));
    expect(results.map(({ target }) => target)).toEqual(Object.keys(TARGETS));
    for (const { tried, findings } of results) {
      expect(tried).toBeGreaterThan(0);
      expect(findings).toBe(0);
    }
  }, 120_000);

  test("bad arguments are refused", () => {
    const args = [SCRIPT, "--target", "nothing"];
    expect(spawnSync(process.execPath, args).status).toBe(2);
  });
});
