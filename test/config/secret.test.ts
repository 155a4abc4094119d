import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  clusterSecret,
  loadSecret,
  secretText,
  seedOf,
  writeSecret,
} from "../../src/config/secret.js";
import { changed, EXAMPLE, parse } from "./example.js";

const SECRET = Buffer.from(Array.from({ length: 32 }, (_, at) => at * 7));
let directory = "";
let path = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "shardwall-secret-"));
  path = join(directory, "secret");
});
afterEach(() => rmSync(directory, { recursive: true }));

describe("a secret file", () => {
  test("is written for its owner alone, and read back", () => {
    writeSecret(path, SECRET);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(loadSecret(path)).toEqual(SECRET);
  });

  test("is never replaced", () => {
    writeSecret(path, SECRET);
    expect(() => writeSecret(path, Buffer.alloc(32))).toThrow("exists already");
    expect(loadSecret(path)).toEqual(SECRET);
  });

  test.each([
    ["base64", secretText(SECRET)],
    ["hex", SECRET.toString("hex")],
    ["hex in capitals with white space around", `\n ${SECRET.toString("hex").toUpperCase()}\n`],
  ])("may be %s", (_, text) => {
    writeFileSync(path, text, { mode: 0o600 });
    expect(loadSecret(path)).toEqual(SECRET);
  });

  test.each([
    ["empty", ""],
    ["31 bytes of hex", "00".repeat(31)],
    ["33 bytes of base64", Buffer.alloc(33).toString("base64")],
    ["a password", "correct horse battery staple"],
  ])("that is %s is refused, and its text not shown", (_, text) => {
    writeFileSync(path, text, { mode: 0o600 });
    expect(() => loadSecret(path)).toThrow("32 bytes as base64 or hex");
    if (text !== "") expect(() => loadSecret(path)).not.toThrow(text);
  });

  test.each([0o640, 0o604, 0o660, 0o620, 0o601])("with mode %i is refused with the fix", (mode) => {
    writeSecret(path, SECRET);
    chmodSync(path, mode);
    expect(() => loadSecret(path)).toThrow(`chmod 600 ${path}`);
  });

  test("that is missing is named with the command that makes it", () => {
    expect(() => loadSecret(path)).toThrow(`shardwall keygen -o ${path}`);
  });

  test("that is a directory or too long is refused", () => {
    chmodSync(directory, 0o700);
    expect(() => loadSecret(directory)).toThrow("not a regular file");
    writeFileSync(path, " ".repeat(257), { mode: 0o600 });
    expect(() => loadSecret(path)).toThrow("too large");
  });
});

describe("what follows from the secret", () => {
  test("a configured seed is taken as it is", () => {
    expect(seedOf(parse(EXAMPLE), SECRET)).toBe(0xdeadbeef);
  });

  test("a seed that is not configured differs by secret and by cluster", () => {
    const text = changed("mode: tuple, seed: 0xdeadbeef", "mode: tuple");
    const seed = seedOf(parse(text), SECRET);
    expect(seedOf(parse(text), SECRET)).toBe(seed);
    expect(seedOf(parse(text), Buffer.alloc(32))).not.toBe(seed);
    expect(seedOf(parse(text.replace("name: edge", "name: core")), SECRET)).not.toBe(seed);
  });

  test("an insecure cluster has a secret that follows from its name", () => {
    const insecure = (name: string) =>
      clusterSecret(
        parse(changed("secretFile: /etc/shardwall/secret", "insecure: true").replace("edge", name)),
      );
    expect(insecure("a")).toHaveLength(32);
    expect(insecure("a")).toEqual(insecure("a"));
    expect(insecure("a")).not.toEqual(insecure("b"));
  });
});
