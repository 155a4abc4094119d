import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SECRET_FILE_BYTES_MAX } from "../../src/config/limits.js";
import {
  clusterSecrets,
  loadSecrets,
  replaceSecrets,
  rotated,
  type Secrets,
  secretsText,
  secretText,
  secretWarnings,
  seedOf,
  writeSecret,
} from "../../src/config/secret.js";
import { changed, EXAMPLE, parse } from "./example.js";

const SECRET = Buffer.from(Array.from({ length: 32 }, (_, at) => at * 7));
const ALONE: Secrets = { current: SECRET, other: null, seed: null };
const NEW = Buffer.alloc(32, 9);
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
    expect(loadSecrets(path)).toEqual(ALONE);
  });

  test("is never replaced", () => {
    writeSecret(path, SECRET);
    expect(() => writeSecret(path, Buffer.alloc(32))).toThrow("exists already");
    expect(loadSecrets(path)).toEqual(ALONE);
  });

  test.each([
    ["base64", secretText(SECRET)],
    ["hex", SECRET.toString("hex")],
    ["hex in capitals with white space around", `\n ${SECRET.toString("hex").toUpperCase()}\n`],
  ])("may be %s", (_, text) => {
    writeFileSync(path, text, { mode: 0o600 });
    expect(loadSecrets(path)).toEqual(ALONE);
  });

  test.each([
    ["empty", ""],
    ["31 bytes of hex", "00".repeat(31)],
    ["33 bytes of base64", Buffer.alloc(33).toString("base64")],
    ["a password", "correct horse battery staple"],
  ])("that is %s is refused, and its text not shown", (_, text) => {
    writeFileSync(path, text, { mode: 0o600 });
    expect(() => loadSecrets(path)).toThrow("32 bytes as base64 or hex");
    if (text !== "") expect(() => loadSecrets(path)).not.toThrow(text);
  });

  test.each([0o640, 0o604, 0o660, 0o620, 0o601])("with mode %i is refused with the fix", (mode) => {
    writeSecret(path, SECRET);
    chmodSync(path, mode);
    expect(() => loadSecrets(path)).toThrow(`chmod 600 ${path}`);
  });

  test("that is missing is named with the command that makes it", () => {
    expect(() => loadSecrets(path)).toThrow(`shardwall keygen -o ${path}`);
  });

  test("that is a directory or too long is refused", () => {
    chmodSync(directory, 0o700);
    expect(() => loadSecrets(directory)).toThrow("not a regular file");
    writeFileSync(path, " ".repeat(257), { mode: 0o600 });
    expect(() => loadSecrets(path)).toThrow("too large");
  });
});

describe("an exchange of the secret", () => {
  const seedText = changed("mode: tuple, seed: 0xdeadbeef", "mode: tuple");

  test("takes three steps, and keeps the seed", () => {
    const steps = [ALONE];
    for (let step = 0; step < 3; step++) steps.push(rotated(steps[step] as Secrets, NEW));
    const roles = steps.map(({ current, other }) => [current === NEW, other?.role ?? "none"]);
    expect(roles).toEqual([
      [false, "none"],
      [false, "next"],
      [true, "old"],
      [true, "none"],
    ]);
    const seeds = new Set(steps.map((secrets) => seedOf(parse(seedText), secrets)));
    expect(seeds.size).toBe(1);
    expect(Buffer.from(steps[3]?.seed ?? [])).not.toEqual(SECRET);
  });

  test("each step fits into the file, for its owner alone, and is read back", () => {
    writeSecret(path, SECRET);
    for (let step = 0, secrets = ALONE; step < 4; step++) {
      secrets = rotated(secrets, Buffer.alloc(32, 20 + step));
      replaceSecrets(path, secrets);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(statSync(path).size).toBeLessThan(SECRET_FILE_BYTES_MAX);
      expect(secretsText(loadSecrets(path))).toBe(secretsText(secrets));
      expect(secretWarnings(secrets)).toHaveLength(secrets.other === null ? 0 : 1);
    }
    expect(readdirSync(directory)).toEqual(["secret"]);
  });

  const word = secretText(NEW);
  test.each([
    ["a second secret without a word", `${word}\n${word}`],
    ["two to come", `${word}\nnext ${word}\nnext ${word}`],
    ["one to come and one to go", `${word}\nnext ${word}\nold ${word}`],
    ["an unknown word", `${word}\nformer ${word}`],
    ["a broken second secret", `${word}\nnext ${word.slice(3)}`],
    ["only a second secret", `next ${word}`],
  ])("with %s is refused, and nothing of it shown", (_, text) => {
    writeFileSync(path, text, { mode: 0o600 });
    expect(() => loadSecrets(path)).toThrow(/secret/i);
    expect(() => loadSecrets(path)).not.toThrow(word.slice(4, 40));
  });
});

describe("what follows from the secret", () => {
  test("a configured seed is taken as it is", () => {
    expect(seedOf(parse(EXAMPLE), ALONE)).toBe(0xdeadbeef);
  });

  test("a seed that is not configured differs by secret and by cluster", () => {
    const text = changed("mode: tuple, seed: 0xdeadbeef", "mode: tuple");
    const seed = seedOf(parse(text), ALONE);
    expect(seedOf(parse(text), ALONE)).toBe(seed);
    expect(seedOf(parse(text), { ...ALONE, current: NEW })).not.toBe(seed);
    expect(seedOf(parse(text.replace("name: edge", "name: core")), ALONE)).not.toBe(seed);
  });

  test("an insecure cluster has a secret that follows from its name", () => {
    const insecure = (name: string) =>
      clusterSecrets(
        parse(changed("secretFile: /etc/shardwall/secret", "insecure: true").replace("edge", name)),
      );
    expect(insecure("a").current).toHaveLength(32);
    expect(insecure("a")).toEqual(insecure("a"));
    expect(insecure("a")).not.toEqual(insecure("b"));
  });
});
