/**
 * `npm run sanitize`: the addon under AddressSanitizer and UndefinedBehaviorSanitizer, run over
 * hostile queue messages and over the tests that use it. Works on a copy, since the addon is found
 * by its place.
 *
 * Exit codes: 0 nothing found, 1 a finding or a failed test, 3 no sanitizers on this machine.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const copy = join(root, ".setup", `sanitize.${process.pid}`);
const TESTS = ["test/platform", "test/kernel/queue.test.ts", "test/kernel/conntrack/table.test.ts"];
const COPIED = ["src", "test", "dist", "package.json", "tsconfig.json", "vitest.config.ts"];
const MESSAGES = "1000000";
/** Ours are no longer than this each; far beyond it a test hangs. */
const TEST_MS = "120000";

const compiler = process.env.CXX ?? "g++";
const library = firstLine(spawnSync(compiler, ["-print-file-name=libasan.so"]).stdout);

/** A library that the compiler does not have is printed as the bare name. */
if (library === "libasan.so" || library === "") {
  console.error(`sanitize: ${compiler} has no libasan.so; install the package libasan8`);
  process.exit(3);
}
try {
  process.exitCode = sanitize();
} finally {
  rmSync(copy, { recursive: true, force: true });
}

function sanitize() {
  const native = join(copy, "native", "build");
  mkdirSync(native, { recursive: true });
  for (const name of COPIED) cpSync(join(root, name), join(copy, name), { recursive: true });
  for (const name of ["node_modules"]) symlinkSync(join(root, name), join(copy, name));
  const built = run("make", ["-s", "-C", join(root, "native"), "SANITIZE=1"], {});
  if (built !== 0) return 1;
  const sanitized = join(root, "native", "build", "sanitize");
  cpSync(join(sanitized, "shardwall.node"), join(native, "shardwall.node"));
  const options = {
    ASAN_OPTIONS: "detect_leaks=0:abort_on_error=0:exitcode=99",
    UBSAN_OPTIONS: "print_stacktrace=1:exitcode=99",
  };
  if (run(join(sanitized, "wire_check"), ["1", MESSAGES], options) !== 0) return 1;
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const named = process.argv.slice(2);
  const tests = named.length > 0 ? named : TESTS.filter((name) => existsSync(join(root, name)));
  const args = [vitest, "run", "--root", copy, "--testTimeout", TEST_MS, ...tests];
  const preload = { LD_PRELOAD: library, SHARDWALL_SANITIZED: "1" };
  return run(process.execPath, args, { ...options, ...preload }) === 0 ? 0 : 1;
}

function run(program, args, env) {
  const settings = { stdio: "inherit", env: { ...process.env, ...env } };
  return spawnSync(program, args, settings).status ?? 1;
}

function firstLine(output) {
  return String(output ?? "").split("\n")[0];
}
