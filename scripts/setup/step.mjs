/** A step of the set-up: done when the hash of what it reads equals the one in its stamp. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

/** Lines of a failed step's output that are shown: compilers tell the cause first, others last. */
const LOG_HEAD_LINES = 20;
const LOG_TAIL_LINES = 20;

/** Something this machine lacks: exit code 3. */
export class Missing extends Error {}

/** True while a step's output exists and its inputs are those it was made from. */
export function isDone(root, step) {
  const stamp = stampFile(root, step);
  if (!existsSync(join(root, step.output)) || !existsSync(stamp)) return false;
  return readFileSync(stamp, "utf8") === hashOf(root, step.inputs);
}

/** Remembers what a step was made from. Written aside and renamed: never half a stamp. */
export function markDone(root, step) {
  const stamp = stampFile(root, step);
  writeFileSync(`${stamp}.new`, hashOf(root, step.inputs));
  renameSync(`${stamp}.new`, stamp);
}

function stampFile(root, step) {
  return join(root, ".setup", `${step.name}.stamp`);
}

/** Content hash of files and folders; the Node version is in it, since addons are built for it. */
function hashOf(root, inputs) {
  const hash = createHash("sha256").update(process.version);
  for (const path of inputs.flatMap((input) => filesUnder(root, input))) {
    hash.update(`\0${path}\0`).update(readFileSync(join(root, path)));
  }
  return hash.digest("hex");
}

function filesUnder(root, path) {
  if (!existsSync(join(root, path))) return [];
  if (!statSync(join(root, path)).isDirectory()) return [path];
  return readdirSync(join(root, path))
    .filter((name) => name !== "build")
    .sort()
    .flatMap((name) => filesUnder(root, join(path, name)));
}

/** Runs a program with its output in `log`; a failure throws, with the end of the log. */
export function runLogged(cwd, program, args, log, env = process.env) {
  const file = openSync(log, "w");
  const result = spawnSync(program, args, { cwd, env, stdio: ["ignore", file, file] });
  closeSync(file);
  if (result.status === 0) return;
  const reason = result.error?.message ?? result.signal ?? `exit ${result.status}`;
  const shown = excerpt(readFileSync(log, "utf8").trimEnd().split("\n"));
  throw new Error(`${program} ${args.join(" ")} failed (${reason}); from ${log}:\n${shown}`);
}

function excerpt(lines) {
  if (lines.length <= LOG_HEAD_LINES + LOG_TAIL_LINES) return lines.join("\n");
  return [...lines.slice(0, LOG_HEAD_LINES), "...", ...lines.slice(-LOG_TAIL_LINES)].join("\n");
}

/** Puts a freshly made directory in the place of an old one. */
export function swapDirectory(fresh, place) {
  const old = `${fresh}.old`;
  rmSync(old, { recursive: true, force: true });
  if (existsSync(place)) renameSync(place, old);
  renameSync(fresh, place);
  rmSync(old, { recursive: true, force: true });
}
