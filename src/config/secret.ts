/**
 * The cluster's secret: 32 random bytes in a file only its owner reads, as base64 or hex.
 * Keys of datagrams and, unless configured, the hash seed are derived from it.
 */
import { hkdfSync } from "node:crypto";
import { closeSync, fstatSync, openSync, readFileSync, type Stats, writeFileSync } from "node:fs";
import { SECRET_BYTES, SECRET_FILE_BYTES_MAX } from "./limits.js";
import { type ConfigError, fileError } from "./problem.js";
import type { Config } from "./types.js";

/**
 * Reads a secret file.
 * @returns the 32 bytes of the secret
 * @throws ConfigError with the fix; exit code 3 where we may not read it, 2 for all else
 */
export function loadSecret(path: string): Buffer {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    throw openError(path, (error as NodeJS.ErrnoException).code ?? "error");
  }
  try {
    // Checked on the open file: the path may point elsewhere a moment later.
    checkFile(path, fstatSync(file));
    return parseSecret(readFileSync(file, "utf8"), path);
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

/** The secret of a file's text; `path` is for messages, which never show the text. */
export function parseSecret(text: string, path: string): Buffer {
  const word = text.trim();
  if (/^[0-9a-fA-F]{64}$/.test(word)) return Buffer.from(word, "hex");
  const bytes = /^[A-Za-z0-9+/]{43}=?$/.test(word) ? Buffer.from(word, "base64") : null;
  if (bytes?.length === SECRET_BYTES) return bytes;
  const allowed = `${SECRET_BYTES} bytes as base64 or hex`;
  throw fileError(path, `is not a secret (allowed: ${allowed}); make one: shardwall keygen`);
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
 * The secret of a configuration. With `insecure: true` it follows from the cluster's name:
 * datagrams keep one form, and it protects from mistakes but from nobody who knows the name.
 */
export function clusterSecret(config: Config): Buffer {
  const { secretFile, name } = config.cluster;
  if (secretFile !== null) return loadSecret(secretFile);
  return Buffer.from(hkdfSync("sha256", "", name, "shardwall insecure", SECRET_BYTES));
}

/**
 * The hash seed (uint32): configured, or derived from the secret, so that nobody outside can
 * compute tuples that all fall into one bucket.
 */
export function seedOf(config: Config, secret: Uint8Array): number {
  if (config.cluster.hash.seed !== null) return config.cluster.hash.seed;
  const bytes = hkdfSync("sha256", secret, config.cluster.name, "shardwall hash seed", 4);
  return Buffer.from(bytes).readUInt32BE(0);
}
