/**
 * `npm run fuzz`: compiles sources and fuzzer beside each other and runs the fuzzer. Its threads
 * and processes load files, so what vitest compiles on the fly will not do.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
// Its own, since tests run beside each other.
const output = join(root, ".setup", `fuzz.${process.pid}`);
const beside = join(root, "..", "shared", "testdata");

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => {});
mkdirSync(output, { recursive: true });
try {
  // The compiled sources look for the addon where the sources have it.
  symlinkSync("../../native", join(output, "native"));
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  run(compiler, "-p", join(root, "test", "fuzz", "tsconfig.json"), "--outDir", output);
  run(join(output, "test", "fuzz", "main.js"), ...process.argv.slice(2));
} finally {
  rmSync(output, { recursive: true, force: true });
}

function run(script, ...args) {
  if (process.exitCode) return;
  const env = { SHARDWALL_TESTDATA: beside, ...process.env };
  const { status } = spawnSync(process.execPath, [script, ...args], { stdio: "inherit", env });
  process.exitCode = status ?? 1;
}
