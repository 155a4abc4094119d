/** What the figures were measured on. */

import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";

export function machine() {
  const { version } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  );
  return {
    cpu: `${cpus().length} x ${cpus()[0]?.model ?? "unknown"}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    kernel: release(),
    node: process.versions.node,
    shardwall: version,
  };
}
