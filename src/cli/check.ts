/** `shardwall check`: is this configuration good? Touches nothing but the files it names. */
import { existsSync } from "node:fs";
import { type Config, ConfigError, loadConfig } from "../config/config.js";
import { problemText } from "../config/problem.js";
import { loadSecrets } from "../config/secret.js";
import { note, print } from "./output.js";

/** Checks `file`; returns the exit code: 0, 2 for bad input, 3 where a file may not be read. */
export function check(file: string): 0 | 2 | 3 {
  try {
    checkSecret(loadConfig(file));
    print(`${file}: ok`);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) note(problemText(error.file, problem));
    return error.exitCode;
  }
}

/** A file checked on another machine names a secret that only the nodes have: no error. */
function checkSecret(config: Config): void {
  const { secretFile } = config.cluster;
  if (secretFile === null) {
    note(`${config.file}: warning: cluster.insecure: anybody on a link can take the cluster over`);
  } else if (existsSync(secretFile)) {
    loadSecrets(secretFile);
  } else {
    note(`${config.file}: note: ${secretFile} is not on this machine; it was not checked`);
  }
}
