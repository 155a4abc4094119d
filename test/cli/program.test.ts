/** The program as users start it: the compiled one, in a process of its own. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const COMMANDS = ["run", "check", "status", "nodes", "ranges", "flows", "hash"];
const MORE_COMMANDS = ["keygen", "drain", "join", "demo"];

function shardwall(...args: string[]) {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8" });
}

describe("help", () => {
  test("names every command and ends with 0", () => {
    const { stdout, status } = shardwall("--help");
    expect(status).toBe(0);
    for (const command of [...COMMANDS, ...MORE_COMMANDS]) {
      expect(stdout).toMatch(new RegExp(`^ +${command}\\b`, "m"));
    }
  });

  test.each([...COMMANDS, ...MORE_COMMANDS])("%s --help has an example", (command) => {
    const { stdout, status } = shardwall(command, "--help");
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`Examples?:[^]*shardwall ${command}`));
  });

  test("the version is the package's", () => {
    expect(shardwall("--version").stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe("exit codes", () => {
  test.each<[what: string, args: string[], code: number, message: string]>([
    ["an unknown command", ["stauts"], 2, "status"],
    ["an unknown option", ["status", "--jsn"], 2, "--json"],
    ["a missing option", ["check"], 2, "--config"],
    ["an option out of its bounds", ["drain", "--timeout", "0"], 2, "Allowed"],
    [
      "a configuration that is not there",
      ["check", "-c", "/none.yaml"],
      2,
      "/none.yaml: there is no",
    ],
    [
      "a node that does not run",
      ["status", "--socket", "/none.sock"],
      1,
      "no node is running on /none.sock",
    ],
  ])("%s", (_, args, code, message) => {
    const { status, stderr, stdout } = shardwall(...args);
    expect(stderr).toContain(message);
    expect(stdout).toBe("");
    expect(status).toBe(code);
  });
});
