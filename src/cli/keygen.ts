/** `shardwall keygen`: a new cluster secret, to stdout or to a file only its owner reads. */
import { randomBytes } from "node:crypto";
import { SECRET_BYTES } from "../config/limits.js";
import {
  loadSecrets,
  replaceSecrets,
  rotated,
  type Secrets,
  secretText,
  writeSecret,
} from "../config/secret.js";
import { CliError } from "./error.js";
import { note, print } from "./output.js";

export interface KeygenOptions {
  readonly output?: string;
  /** A secret file to take one step further. */
  readonly rotate?: string;
}

/**
 * Makes a secret. With `output` it is written there, mode 0600; an existing file is kept. With
 * `rotate` the file goes one step on in the exchange of its secret.
 */
export function keygen({ output, rotate }: KeygenOptions): void {
  if (output !== undefined && rotate !== undefined) {
    throw new CliError("--output makes a new file, --rotate changes one: give one of the two", 2);
  }
  const secret = randomBytes(SECRET_BYTES);
  if (rotate !== undefined) return rotateFile(rotate, secret);
  if (output === undefined) return print(secretText(secret));
  writeSecret(output, secret);
  note(`${output}: written; copy it to every node of the cluster`);
}

function rotateFile(path: string, fresh: Uint8Array): void {
  const next = rotated(loadSecrets(path), fresh);
  replaceSecrets(path, next);
  note(`${path}: ${stepOf(next)}`);
  note("copy it to every node, and restart them one after the other");
}

function stepOf({ other }: Secrets): string {
  if (other === null) return "step 3 of 3, the old secret is gone";
  if (other.role === "old") return "step 2 of 3, the new secret seals, the old one is accepted";
  return "step 1 of 3, the new secret is accepted, the old one seals";
}
