/**
 * `shardwall demo` as users start it. Figures depend on the machine, so only what must hold is
 * asked.
 */
import { spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { rootOnly } from "../fixture/netns.js";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** A mark in the environment finds the processes of one demo among those of all others. */
let runs = 0;
function marked() {
  const mark = `SHARDWALL_TEST_MARK=${process.pid}-${++runs}`;
  const [name, value] = mark.split("=") as [string, string];
  return { mark, env: { ...process.env, [name]: value } };
}

function alive(mark: string): string[] {
  return readdirSync("/proc").filter((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    try {
      return readFileSync(`/proc/${entry}/environ`, "latin1").split("\0").includes(mark);
    } catch {
      return false; // gone meanwhile
    }
  });
}

async function allGone(mark: string): Promise<boolean> {
  // Killed by the kernel after their parent: at once, but not before it.
  for (let look = 0; look < 100 && alive(mark).length > 0; look++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return alive(mark).length === 0;
}

async function demo(prefix: readonly string[], args: readonly string[]) {
  const { mark, env } = marked();
  const [program, ...rest] = [...prefix, process.execPath, MAIN, "demo", ...args];
  const child = spawn(program as string, rest, { env, stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (err += text));
  const code = await new Promise((resolve) => child.on("close", resolve));
  return { code, out, err, mark };
}

const ORDINARY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/** An ordinary user may only try where user namespaces are allowed and the program can be read. */
const ordinaryMay = [
  ["unshare", "-Urn", "true"],
  [process.execPath, MAIN, "--version"],
].every((argv) => spawnSync("setpriv", [...ORDINARY.slice(1), ...argv]).status === 0);

const skipped = ordinaryMay ? "" : " (SKIPPED: user namespaces or reading dist/ not allowed)";

rootOnly("the whole demo", () => {
  test("as root", () => playsWell([], 3));
  test.skipIf(!ordinaryMay)(`as an ordinary user${skipped}`, () => playsWell(ORDINARY, 2));

  async function playsWell(prefix: readonly string[], nodes: number): Promise<void> {
    const { code, out, err, mark } = await demo(prefix, ["--json", "--nodes", String(nodes)]);
    expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" });
    const result = JSON.parse(out.trim().split("\n").at(-1) as string);
    expect(result.nodes).toBe(nodes);
    expect(result.hits).toBeGreaterThan(500);
    const shares = Object.values(result.hitsByNode) as number[];
    expect(shares).toHaveLength(nodes);
    // The one that was dead for a third of the time has the smallest, and still more than this.
    expect(Math.min(...shares)).toBeGreaterThan(result.hits / (nodes * 4));
    expect(result.failed).toBeLessThan(result.hits / 20);
    // During a planned move two nodes may own a bucket for a moment, a long one on a busy machine.
    expect(result.acceptedTwice).toBeLessThan(result.hits / 20);
    expect(result.takeoverMs).toBeGreaterThan(0);
    expect(result.rejoinMs).toBeGreaterThan(0);
    expect(await allGone(mark)).toBe(true);
  }
});

rootOnly("a demo that is cut short", () => {
  // Before it listens to signals, the signal itself ends it: there is no exit code then.
  const cases: [NodeJS.Signals, number, (number | null)[]][] = [
    ["SIGINT", 100, [130, null]],
    ["SIGINT", 2000, [130]],
    ["SIGTERM", 3000, [143]],
    ["SIGKILL", 3000, [null]],
  ];
  test.each(cases)("%s after %i ms leaves nothing", async (signal, ms, codes) => {
    const { mark, env } = marked();
    const child = spawn(process.execPath, [MAIN, "demo"], { env, stdio: "ignore" });
    const exit = new Promise((resolve) => child.on("exit", resolve));
    setTimeout(() => child.kill(signal), ms);
    expect(codes).toContain(await exit);
    expect(await allGone(mark)).toBe(true);
  });
});

describe("a demo that cannot be", () => {
  test("says which numbers of nodes are allowed", async () => {
    const { code, err } = await demo([], ["--nodes", "9"]);
    expect(err).toContain("2..8");
    expect(code).toBe(2);
  });
});

rootOnly("a user who may not make namespaces", () => {
  test.skipIf(!ordinaryMay)(`is told what to do${skipped}`, async () => {
    // In a user namespace without a mapping even further user namespaces are refused.
    const { code, err } = await demo([...ORDINARY, "unshare", "--user"], []);
    expect(err).toContain("run it as root, or allow user namespaces");
    expect(code).toBe(3);
  });
});
