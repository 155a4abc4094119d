import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Processes, not threads: tests set umasks, signals and namespaces, which belong to a process.
    pool: "forks",
    // Tests of timing share one kernel; more of them at once would measure each other.
    maxWorkers: 2,
    // A machine that others use too may stand still in the wrong moment. This also lets a rare race
    // of ours pass: look at what was tried again, the logs of its nodes are shown.
    retry: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
