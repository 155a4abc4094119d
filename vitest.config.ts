import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Processes, not threads: tests set umasks, signals and namespaces, which belong to a process.
    pool: "forks",
    // Tests of timing share one kernel; more of them at once would measure each other.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
