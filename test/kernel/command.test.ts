/** What a failed tool of the system becomes: a named error with the exit code it stands for. */
import { expect, test } from "vitest";
import { runTool } from "../../src/kernel/command.js";
import { OpError } from "../../src/platform/op-error.js";

function failureOf(tool: string, ...args: string[]): OpError {
  try {
    runTool(tool, args);
  } catch (error) {
    if (error instanceof OpError) return error;
    throw error;
  }
  throw new Error("did not fail");
}

const says = (text: string) => ["-c", `echo '${text}' >&2; exit 1`];

test("gives the standard output, and takes an input", () => {
  expect(runTool("cat", [], "table ip t")).toBe("table ip t");
});

test.each([
  ["no right", "Operation not permitted (you must be root)", "EPERM", true],
  [
    "nft without kernel support",
    "Error: Could not process rule: No such file or directory",
    "EOPNOTSUPP",
    true,
  ],
  ["a family the kernel lacks", "Error: Operation not supported", "EOPNOTSUPP", true],
  ["anything else", "Error: syntax error", "", false],
])("%s", (_, said, code, isMissingSupport) => {
  const failure = failureOf("sh", ...says(said));
  expect(failure.code).toBe(code);
  expect(failure.message).toContain(said);
  expect(failure.isMissingSupport).toBe(isMissingSupport);
});

test("a tool that is not installed is missing support, and its package is named", () => {
  const failure = failureOf("shardwall-has-no-such-tool");
  expect(failure.isMissingSupport).toBe(true);
  expect(failure.message).toContain("install the package shardwall-has-no-such-tool");
});
