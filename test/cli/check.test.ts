import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { check } from "../../src/cli/check.js";
import { keygen } from "../../src/cli/keygen.js";
import { loadSecrets } from "../../src/config/secret.js";
import { changed, EXAMPLE } from "../config/example.js";

let directory = "";
let file = "";
let out = "";
let err = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "shardwall-check-"));
  file = join(directory, "node.yaml");
  out = "";
  err = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += text;
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    err += text;
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true });
});

function checkText(text: string): number {
  writeFileSync(file, text.replace("/etc/shardwall/secret", "secret"));
  return check(file);
}

describe("check", () => {
  test("says ok, and notes a secret that only the nodes have", () => {
    expect(checkText(EXAMPLE)).toBe(0);
    expect(out).toBe(`${file}: ok\n`);
    expect(err).toContain("secret is not on this machine");
  });

  test("tells each problem on a line of stderr", () => {
    const text = changed("node: 1", "node: 0").replace("failureMs: 200", "failureMs: 99999");
    expect(checkText(text)).toBe(2);
    expect(out).toBe("");
    expect(err).toBe(
      [
        `${file}:1: node: 0 is out of range (allowed: 1..255)`,
        `${file}:9: timing.failureMs: 99999 is out of range (allowed: 60..60000)`,
        "",
      ].join("\n"),
    );
  });

  test("looks at the secret where there is one", () => {
    writeFileSync(join(directory, "secret"), "short", { mode: 0o600 });
    expect(checkText(EXAMPLE)).toBe(2);
    expect(err).toContain("is not a secret");
  });

  test("warns of a cluster without a secret", () => {
    expect(checkText(changed("secretFile: /etc/shardwall/secret", "insecure: true"))).toBe(0);
    expect(err).toContain("anybody on a link can take the cluster over");
  });

  test("of a file that is not there is bad input", () => {
    expect(check(join(directory, "none"))).toBe(2);
    expect(err).toContain("there is no such file");
  });
});

describe("keygen", () => {
  test("prints 32 bytes in base64, new each time", () => {
    keygen({});
    keygen({});
    const lines = out.trimEnd().split("\n");
    expect(lines.map((line) => Buffer.from(line, "base64").length)).toEqual([32, 32]);
    expect(lines[0]).not.toBe(lines[1]);
  });

  test("writes a file that check accepts, and keeps stdout empty", () => {
    keygen({ output: join(directory, "secret") });
    expect(out).toBe("");
    expect(statSync(join(directory, "secret")).mode & 0o777).toBe(0o600);
    expect(loadSecrets(join(directory, "secret")).current).toHaveLength(32);
    expect(checkText(EXAMPLE)).toBe(0);
  });
});
