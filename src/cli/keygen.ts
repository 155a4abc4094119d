/** `shardwall keygen`: a new cluster secret, to stdout or to a file only its owner reads. */
import { randomBytes } from "node:crypto";
import { SECRET_BYTES } from "../config/limits.js";
import { secretText, writeSecret } from "../config/secret.js";
import { note, print } from "./output.js";

/** Makes a secret. With `output` it is written there, mode 0600; an existing file is kept. */
export function keygen(options: { readonly output?: string }): void {
  const secret = randomBytes(SECRET_BYTES);
  if (options.output === undefined) {
    print(secretText(secret));
    return;
  }
  writeSecret(options.output, secret);
  note(`${options.output}: written; copy it to every node of the cluster`);
}
