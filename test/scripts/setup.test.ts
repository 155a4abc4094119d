import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const SCRIPTS = fileURLToPath(new URL("../../scripts/", import.meta.url));

let directory = "";
let lock = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "shardwall-setup-"));
  lock = join(directory, "lock");
});
afterEach(() => rmSync(directory, { recursive: true }));

/** A process that takes the lock, notes `in` and `out` in a file, and works for a while between. */
function worker(): ChildProcess {
  const code = `
    import { appendFileSync } from "node:fs";
    import { withLock } from ${JSON.stringify(join(SCRIPTS, "setup", "lock.mjs"))};
    withLock(${JSON.stringify(lock)}, () => {
      appendFileSync(${JSON.stringify(join(directory, "notes"))}, "in\\n");
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
      appendFileSync(${JSON.stringify(join(directory, "notes"))}, "out\\n");
    });`;
  return spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: "ignore" });
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once("exit", (code) => resolve(code)));
}

describe("the lock", () => {
  test("lets one in at a time", async () => {
    expect(await Promise.all([worker(), worker(), worker()].map(ended))).toEqual([0, 0, 0]);
    const notes = readFileSync(join(directory, "notes"), "utf8").trim().split("\n");
    expect(notes).toEqual(["in", "out", "in", "out", "in", "out"]);
  });

  test("of a killed process is taken over", async () => {
    const victim = worker();
    while (spawnSync("test", ["-s", join(directory, "notes")]).status !== 0) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const gone = ended(victim);
    victim.kill("SIGKILL");
    await gone;
    expect(await ended(worker())).toBe(0);
    expect(readFileSync(join(directory, "notes"), "utf8")).toBe("in\nin\nout\n");
  });

  test.each([
    ["whose process id belongs to another process by now", `${process.pid} 1`],
    ["without a name, from long ago", ""],
  ])("%s is taken over", async (_, holder) => {
    mkdirSync(lock);
    if (holder !== "") writeFileSync(join(lock, "holder"), holder);
    utimesSync(lock, 0, 0);
    expect(await ended(worker())).toBe(0);
  });
});

describe("a step", () => {
  const step = { name: "build", inputs: ["source", "options"], output: "product" };

  /** Runs an expression over the functions of step.mjs; gives what it evaluates to. */
  function evaluate(expression: string): string {
    const module = JSON.stringify(join(SCRIPTS, "setup", "step.mjs"));
    const code = `
      import { isDone, markDone, runLogged } from ${module};
      const root = ${JSON.stringify(directory)};
      const step = ${JSON.stringify(step)};
      try { console.log(${expression}); } catch (error) { console.log(error.message); }`;
    const options = { encoding: "utf8" } as const;
    return spawnSync(process.execPath, ["--input-type=module", "-e", code], options).stdout.trim();
  }

  beforeEach(() => {
    mkdirSync(join(directory, ".setup"));
    mkdirSync(join(directory, "source"));
    writeFileSync(join(directory, "source", "a"), "1");
    writeFileSync(join(directory, "options"), "1");
    writeFileSync(join(directory, "product"), "1");
  });

  test("is done once it is marked, until a thing it reads changes", () => {
    expect(evaluate("isDone(root, step)")).toBe("false");
    evaluate("markDone(root, step)");
    expect(evaluate("isDone(root, step)")).toBe("true");
    writeFileSync(join(directory, "source", "a"), "1");
    expect(evaluate("isDone(root, step)")).toBe("true");
    writeFileSync(join(directory, "source", "b"), "");
    expect(evaluate("isDone(root, step)")).toBe("false");
  });

  test("is not done where its product is missing", () => {
    evaluate("markDone(root, step)");
    rmSync(join(directory, "product"));
    expect(evaluate("isDone(root, step)")).toBe("false");
  });

  test("that fails shows its output, of a long one both ends", () => {
    const args = '["-c", "echo so it goes; exit 3"]';
    const failed = evaluate(`runLogged(root, "sh", ${args}, root + "/log")`);
    expect(failed).toContain("failed (exit 3)");
    expect(failed).toContain("so it goes");
    const long = evaluate('runLogged(root, "sh", ["-c", "seq 1 99; exit 3"], root + "/log")');
    expect(long.split("\n").slice(1)).toContain("1");
    expect(long.split("\n").slice(-2)).toEqual(["98", "99"]);
    expect(long).not.toContain("\n50\n");
  });
});

describe("the closing line of a test run", () => {
  function summary(report: string): [string, number | null] {
    const file = join(directory, "report.json");
    writeFileSync(file, report);
    const options = { encoding: "utf8" } as const;
    const run = spawnSync(process.execPath, [join(SCRIPTS, "summary.mjs"), file], options);
    return [run.stdout, run.status];
  }

  const file = (status: string, ...tests: string[]) => ({
    status,
    assertionResults: tests.map((each) => ({ status: each })),
  });

  test.each([
    [
      "a good run",
      [file("passed", "passed", "passed", "skipped", "todo")],
      "2 passed, 0 failed, 2 skipped\n",
      0,
    ],
    ["a failed test", [file("failed", "passed", "failed")], "1 passed, 1 failed, 0 skipped\n", 1],
    [
      "a file that does not load",
      [file("failed"), file("passed", "passed")],
      "1 passed, 1 failed, 0 skipped\n",
      1,
    ],
  ])("%s", (_, testResults, line, status) => {
    expect(summary(JSON.stringify({ testResults }))).toEqual([line, status]);
  });

  test("a run that never got as far as a report has failed", () => {
    expect(summary("")).toEqual(["0 passed, 1 failed, 0 skipped\n", 1]);
  });
});
