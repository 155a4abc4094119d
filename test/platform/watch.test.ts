/** Waiting for a descriptor beside an event loop, and an alarm for what is due. */
import { readdirSync, readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { Alarm } from "../../src/platform/alarm.js";
import { bootMs } from "../../src/platform/clock.js";
import { type EventFd, native, type Watch } from "../../src/platform/native.js";

const ADDON = new URL("../../native/build/shardwall.node", import.meta.url).pathname;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits for what must come, for as long as a busy machine may take. */
async function until(holds: () => boolean): Promise<void> {
  const end = bootMs() + 10_000;
  while (!holds()) {
    if (bootMs() > end) throw new Error("it did not come");
    await pause(1);
  }
}

function watchers(): number {
  const names = readdirSync("/proc/self/task").map((task) => {
    try {
      return readFileSync(`/proc/self/task/${task}/comm`, "utf8").trim();
    } catch {
      return ""; // it has ended since
    }
  });
  return names.filter((name) => name === "sw-watch").length;
}

async function watching(use: (event: EventFd, watch: Watch, told: () => number) => Promise<void>) {
  const event = new native.EventFd();
  let told = 0;
  const watch = new native.Watch(event.fd, () => {
    told += 1;
  });
  try {
    await use(event, watch, () => told);
  } finally {
    watch.close();
    event.close();
  }
}

describe("a watch", () => {
  test("tells once for each time that it was armed", () =>
    watching(async (event, watch, told) => {
      event.signal();
      await pause(20);
      expect(told()).toBe(0); // it was not asked
      watch.arm();
      await until(() => told() === 1);
      event.signal();
      await pause(20);
      expect(told()).toBe(1);
      event.clear();
      watch.arm();
      watch.arm();
      await pause(20);
      expect(told()).toBe(1); // there is nothing to read
      event.signal();
      await until(() => told() === 2);
      await pause(20);
      expect(told()).toBe(2);
    }));

  test("that is closed says nothing more, and its thread is gone", () =>
    watching(async (event, watch, told) => {
      await until(() => watchers() === 1); // it gives itself its name
      watch.arm();
      watch.close();
      event.signal();
      watch.arm();
      watch.close();
      await pause(20);
      expect(told()).toBe(0);
      await until(() => watchers() === 0);
    }));

  test("refuses what it cannot watch or call", () => {
    const make = native.Watch as unknown as new (...all: unknown[]) => unknown;
    for (const fd of [-1, 2 ** 31, 1.5, "1", undefined]) {
      expect(() => new make(fd, () => {})).toThrow(TypeError);
    }
    for (const call of [undefined, null, 7, {}]) expect(() => new make(0, call)).toThrow(TypeError);
    expect(() => native.Watch.prototype.arm.call({})).toThrow(TypeError);
  });

  const ends = {
    terminated: (worker: Worker) => worker.terminate(),
    "that ends by itself": (worker: Worker) => worker.postMessage("end"),
  };
  test.each(Object.entries(ends))("goes with its thread: %s", async (_, end) => {
    const code = `
      const { parentPort, workerData } = require("node:worker_threads");
      const addon = require(workerData);
      const event = new addon.EventFd();
      event.signal();
      const again = new addon.Watch(event.fd, () => again.arm());
      again.arm();
      globalThis.kept = [event, again, new addon.Watch(event.fd, () => {})];
      parentPort.once("message", () => {});
      parentPort.postMessage("ready");
    `;
    for (let round = 0; round < 5; round++) {
      const worker = new Worker(code, { eval: true, workerData: ADDON });
      await new Promise((resolve) => worker.once("message", resolve));
      const exit = new Promise((resolve) => worker.once("exit", resolve));
      await end(worker);
      await exit;
    }
    await until(() => watchers() === 0);
  });
});

describe("an alarm", () => {
  test("rings once, for the earliest moment that it was set for, and not before", async () => {
    const rung: number[] = [];
    const alarm = new Alarm(() => rung.push(bootMs()));
    const now = bootMs();
    alarm.setFor(now + 60_000);
    alarm.setFor(now + 30);
    alarm.setFor(now + 40);
    await until(() => rung.length === 1);
    // Timers count whole milliseconds from a moment before they were set.
    expect((rung[0] as number) - now).toBeGreaterThan(28);
    await pause(30);
    expect(rung).toHaveLength(1);
    alarm.setFor(now);
    await until(() => rung.length === 2);
    alarm.close();
  });

  test("that is closed does not ring, whatever it is set for", async () => {
    let rung = 0;
    const alarm = new Alarm(() => {
      rung += 1;
    });
    alarm.setFor(bootMs());
    alarm.close();
    alarm.setFor(bootMs());
    await pause(20);
    expect(rung).toBe(0);
  });
});
