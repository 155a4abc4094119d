/** Threads that must run: started again after each kind of end but the one that was asked for. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bootMs } from "../../src/platform/clock.js";
import { SupervisedThread } from "../../src/platform/threads.js";

const SCRIPT = new URL("../fixture/crashing-worker.mjs", import.meta.url);
const LATE_MS = 10_000;

describe("a supervised thread", () => {
  let words: Int32Array;
  let messages: unknown[];
  let crashes: (Error | null)[];
  let thread: SupervisedThread;

  beforeEach(async () => {
    words = new Int32Array(new SharedArrayBuffer(8));
    messages = [];
    crashes = [];
    thread = new SupervisedThread({
      name: "test",
      script: SCRIPT,
      data: { words: words.buffer },
      wake: () => Atomics.store(words, 1, 1),
      onMessage: (message) => messages.push(message),
      onCrash: (error) => crashes.push(error),
      now: bootMs,
    });
    await starts(1);
  });
  afterEach(() => thread.stop(100));

  /** Waits until the thread was started `count` times in all. */
  async function starts(count: number): Promise<void> {
    const deadline = bootMs() + LATE_MS;
    while (Atomics.load(words, 0) < count) {
      if (bootMs() > deadline) throw new Error(`no start number ${count}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    Atomics.store(words, 1, 0);
  }

  test.each([
    ["throws", "throw", "told to"],
    ["just ends", "exit", undefined],
  ])("that %s is started again, counted, and its error told", async (_, order, message) => {
    thread.post(order);
    await starts(2);
    expect(thread.restarts).toBe(1);
    expect(crashes.map((error) => error?.message)).toEqual([message]);
  });

  test("that is killed in the middle is started again and works", async () => {
    thread.post("block");
    await thread.crash();
    await starts(2);
    expect(thread.restarts).toBe(1);
    thread.post("echo");
    while (messages.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(messages).toEqual(["echo"]);
  });

  test("that crashes again and again is started later each time", async () => {
    const begin = bootMs();
    for (let crash = 1; crash <= 5; crash++) {
      await thread.crash();
      await starts(crash + 1);
    }
    expect(thread.restarts).toBe(5);
    // 10 + 20 + 40 + 80 + 160 ms of waiting, each twice the one before.
    expect(bootMs() - begin).toBeGreaterThan(310);
  });

  test("that is told to stop is not started again", async () => {
    await thread.stop(LATE_MS);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(Atomics.load(words, 0)).toBe(1);
    expect(crashes).toEqual([]);
  });

  test("that does not stop by itself is ended by force", async () => {
    thread.post("block");
    await new Promise((resolve) => setTimeout(resolve, 50));
    const begin = bootMs();
    await thread.stop(100);
    expect(bootMs() - begin).toBeLessThan(LATE_MS);
    expect(thread.restarts).toBe(0);
  });
});
