/**
 * Set-up for `npm run demo` and `npm test` on a machine with only Node and npm: Debian packages,
 * node_modules, native addon, TypeScript. A step runs when a hash of what it reads has changed, so
 * a second run does nothing and says nothing. Plain JavaScript without dependencies: it runs first.
 *
 * Exit codes: 0 ready, 1 a step failed (its output is shown), 3 something is missing (named).
 */
import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { withLock } from "./setup/lock.mjs";
import { installPackages, missingPackages } from "./setup/packages.mjs";
import { isDone, Missing, markDone, runLogged, swapDirectory } from "./setup/step.mjs";

const NODE_MAJOR_MIN = 20;
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const withTests = process.argv.includes("--test");

/** Each step: what it reads, what it must have made, how it is made. In the order they depend. */
const STEPS = [
  {
    name: "modules",
    title: "installing node modules",
    inputs: ["package.json", "package-lock.json"],
    output: "node_modules/.package-lock.json",
    run: (log) => runLogged(root, "npm", npmArguments(), log),
  },
  {
    name: "native",
    title: "building the addon",
    inputs: ["native", "package-lock.json"],
    output: "native/build/shardwall.node",
    run: (log) => runLogged(root, "make", ["-s", "-C", "native"], log),
  },
  {
    name: "typescript",
    title: "compiling TypeScript",
    inputs: ["src", "tsconfig.json", "tsconfig.build.json", "package-lock.json"],
    output: "dist/main.js",
    run: compile,
  },
];

/**
 * Dev dependencies compile the program, so they are wanted even with NODE_ENV=production. Install
 * scripts run: `raw-socket` compiles itself with them (package.json, allowScripts).
 */
function npmArguments() {
  return ["ci", "--include=dev", "--no-audit", "--no-fund"];
}

/** Compiles beside dist and swaps, so that a process that runs from dist never sees half of it. */
function compile(log) {
  const fresh = join(root, ".setup", "dist");
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  const options = ["-p", "tsconfig.build.json", "--outDir", fresh];
  runLogged(root, process.execPath, [compiler, ...options], log);
  swapDirectory(fresh, join(root, "dist"));
}

function checkMachine() {
  if (process.platform !== "linux") {
    throw new Missing(`shardwall needs Linux (netfilter); this is ${process.platform}`);
  }
  const major = Number(process.versions.node.split(".")[0]);
  if (major < NODE_MAJOR_MIN) {
    throw new Missing(
      `shardwall needs Node ${NODE_MAJOR_MIN} or newer; this is ${process.version}`,
    );
  }
}

function pendingSteps() {
  return STEPS.filter((step) => !isDone(root, step));
}

function runSteps() {
  const missing = missingPackages(withTests);
  if (missing.length > 0) installPackages(missing, join(root, ".setup", "packages.log"));
  // Asked again for each step: a new node_modules changes nothing behind it, but another process
  // that held the lock before us may have done all of them.
  for (const step of STEPS) {
    if (isDone(root, step)) continue;
    console.error(`setup: ${step.title}`);
    step.run(join(root, ".setup", `${step.name}.log`));
    if (!existsSync(join(root, step.output))) throw new Error(`${step.output} was not made`);
    markDone(root, step);
  }
}

try {
  checkMachine();
  if (missingPackages(withTests).length > 0 || pendingSteps().length > 0) {
    mkdirSync(join(root, ".setup"), { recursive: true });
    withLock(join(root, ".setup", "lock"), runSteps);
  }
} catch (error) {
  console.error(`setup: ${error.message}`);
  process.exitCode = error instanceof Missing ? 3 : 1;
}
