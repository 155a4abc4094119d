/**
 * The cluster's secret: 32 random bytes in a file only its owner reads, as base64 or hex.
 * Keys of datagrams and, unless configured, the hash seed are derived from it.
 *
 *      SECRET            seals what this node sends
 *     [next SECRET       accepted too: nodes that are further in the rotation seal with it
 *    or old SECRET]      accepted too: nodes that are not as far yet seal with it
 *     [seed SECRET]      what the hash seed follows from, so that it outlives the secret
 *
 * A rotation is three such files in turn, each copied to all nodes, which are then restarted one
 * after the other: `next` comes in, the two change places, `old` goes. Between two of them any two
 * nodes understand each other, and all have the same seed.
 */
import { hkdfSync } from "node:crypto";
import {
  closeSync,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from "node:fs";
import { SECRET_BYTES, SECRET_FILE_BYTES_MAX } from "./limits.js";
import { type ConfigError, fileError } from "./problem.js";
import type { Config } from "./types.js";

/** What a secret file holds; each secret has 32 bytes. */
export interface Secrets {
  /** Seals what this node sends. */
  readonly current: Uint8Array;
  /** Accepted beside it; null where no rotation is under way. */
  readonly other: { readonly role: "next" | "old"; readonly secret: Uint8Array } | null;
  /** What the hash seed follows from; null: from `current`. */
  readonly seed: Uint8Array | null;
}

/**
 * Reads a secret file.
 * @throws ConfigError with the fix; exit code 3 where we may not read it, 2 for all else
 */
export function loadSecrets(path: string): Secrets {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    throw openError(path, (error as NodeJS.ErrnoException).code ?? "error");
  }
  try {
    // Checked on the open file: the path may point elsewhere a moment later.
    checkFile(path, fstatSync(file));
    return parseSecrets(readFileSync(file, "utf8"), path);
  } finally {
    closeSync(file);
  }
}

function openError(path: string, code: string): ConfigError {
  if (code === "ENOENT") {
    const message = `there is no secret; make one with: shardwall keygen -o ${path}`;
    return fileError(path, `${message}, and copy it to every node`);
  }
  if (code === "EACCES" || code === "EPERM") {
    return fileError(path, "may not be read; run as its owner, or as root", 3);
  }
  return fileError(path, `cannot be read (${code})`);
}

function checkFile(path: string, stats: Stats): void {
  if (!stats.isFile()) throw fileError(path, "is not a regular file");
  if ((stats.mode & 0o077) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, "0");
    throw fileError(path, `mode ${mode} lets others read the secret; fix: chmod 600 ${path}`);
  }
  if (stats.size > SECRET_FILE_BYTES_MAX) throw fileError(path, "is too large for a secret");
}

/** The secrets in a file's text; `path` is for messages, which never show the text. */
export function parseSecrets(text: string, path: string): Secrets {
  const lines = text.split("\n").map((line) => line.trim());
  const [first = "", ...more] = lines.filter((line) => line !== "");
  const labelled = new Map<string, Uint8Array>();
  for (const line of more) {
    const [, label = "", word = ""] = /^(next|old|seed)\s+(\S+)$/.exec(line) ?? [];
    if (label === "" || labelled.has(label)) throw fileError(path, SECOND_LINES);
    labelled.set(label, secretOf(word, path));
  }
  const next = labelled.get("next");
  const old = labelled.get("old");
  if (next && old) throw fileError(path, SECOND_LINES);
  return {
    current: secretOf(first, path),
    other: next ? { role: "next", secret: next } : old ? { role: "old", secret: old } : null,
    seed: labelled.get("seed") ?? null,
  };
}

const SECOND_LINES =
  "may have one line `next SECRET` or `old SECRET`, and one `seed SECRET`, behind its secret";

function secretOf(word: string, path: string): Buffer {
  if (/^[0-9a-fA-F]{64}$/.test(word)) return Buffer.from(word, "hex");
  const bytes = /^[A-Za-z0-9+/]{43}=?$/.test(word) ? Buffer.from(word, "base64") : null;
  if (bytes?.length === SECRET_BYTES) return bytes;
  const allowed = `${SECRET_BYTES} bytes as base64 or hex`;
  throw fileError(path, `is not a secret (allowed: ${allowed}); make one: shardwall keygen`);
}

/** The text of a secret file. */
export function secretsText({ current, other, seed }: Secrets): string {
  const lines = [secretText(current)];
  if (other !== null) lines.push(`${other.role} ${secretText(other.secret)}`);
  if (seed !== null) lines.push(`seed ${secretText(seed)}`);
  return `${lines.join("\n")}\n`;
}

/** The next step of a rotation; `fresh` is taken where it begins. */
export function rotated(secrets: Secrets, fresh: Uint8Array): Secrets {
  const { current, other } = secrets;
  const seed = seedMaterial(secrets);
  if (other === null) return { current, other: { role: "next", secret: fresh }, seed };
  if (other.role === "old") return { current, other: null, seed };
  return { current: other.secret, other: { role: "old", secret: current }, seed };
}

/** The text `keygen` writes for a secret. */
export function secretText(secret: Uint8Array): string {
  return Buffer.from(secret).toString("base64");
}

/**
 * Writes a secret so that only its owner ever can read it; an existing file is never replaced,
 * since the nodes that use it would lose each other.
 * @throws ConfigError where the file exists (2) or may not be made (3)
 */
export function writeSecret(path: string, secret: Uint8Array): void {
  try {
    writeFileSync(path, `${secretText(secret)}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "error";
    if (code === "EEXIST") throw fileError(path, "exists already and is not replaced");
    if (code === "ENOENT") throw fileError(path, "its directory does not exist");
    const denied = code === "EACCES" || code === "EPERM" || code === "EROFS";
    throw fileError(path, `cannot be written (${code})`, denied ? 3 : 2);
  }
}

/**
 * Puts other secrets in place of those in a file, at once or not at all.
 * @throws ConfigError where that may not be done
 */
export function replaceSecrets(path: string, secrets: Secrets): void {
  const aside = `${path}.new`;
  try {
    rmSync(aside, { force: true });
    writeFileSync(aside, secretsText(secrets), { mode: 0o600, flag: "wx" });
    renameSync(aside, path);
  } catch (error) {
    throw fileError(path, `cannot be written (${(error as NodeJS.ErrnoException).code})`, 3);
  }
}

/**
 * The secrets of a configuration. With `insecure: true` the secret follows from the cluster's name:
 * datagrams keep one form, and it protects from mistakes but from nobody who knows the name.
 */
export function clusterSecrets(config: Config): Secrets {
  const { secretFile, name } = config.cluster;
  if (secretFile !== null) return loadSecrets(secretFile);
  const bytes = hkdfSync("sha256", "", name, "shardwall insecure", SECRET_BYTES);
  return { current: new Uint8Array(bytes), other: null, seed: null };
}

/** What the operator should not forget. */
export function secretWarnings({ other }: Secrets): string[] {
  if (other === null) return [];
  return [`two secrets are accepted (current and ${other.role}): finish the exchange`];
}

/**
 * The hash seed (uint32): configured, or derived from the secret, so that nobody outside can
 * compute tuples that all fall into one bucket.
 */
export function seedOf(config: Config, secrets: Secrets): number {
  if (config.cluster.hash.seed !== null) return config.cluster.hash.seed;
  const material = seedMaterial(secrets);
  const bytes = hkdfSync("sha256", material, config.cluster.name, "shardwall hash seed", 4);
  return Buffer.from(bytes).readUInt32BE(0);
}

/** Tells nothing of the secret that it is derived from. */
function seedMaterial({ seed, current }: Secrets): Uint8Array {
  return seed ?? new Uint8Array(hkdfSync("sha256", current, "", "shardwall seed", SECRET_BYTES));
}
