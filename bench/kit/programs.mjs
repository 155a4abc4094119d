/** Small C programs of the benchmarks, compiled when they are needed, and npm's peer. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Kept beside what the set-up leaves; never part of a package. */
const HOME = fileURLToPath(new URL("../../.setup/bench/", import.meta.url));
const SOURCES = fileURLToPath(new URL("../c/", import.meta.url));

/**
 * Programs that only benchmarks need, each in the Debian package of its name, and the flag that
 * makes them tell their version.
 */
const VERSION_FLAGS = {
  arptables: "-V",
  conntrackd: "-v",
  haproxy: "-v",
  httpterm: "-v",
  iptables: "-V",
  keepalived: "-v",
};

const DIRECTORIES = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`.split(":");

export const isInstalled = (name) =>
  DIRECTORIES.some((directory) => existsSync(join(directory, name)));

/**
 * @returns the versions of the programs, in a line
 * @throws Error that names the packages of those that are missing
 */
export function needTools(names) {
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length > 0) throw new Error(`needs: apt-get install ${missing.join(" ")}`);
  const env = { ...process.env, PATH: DIRECTORIES.join(":") };
  const versions = names.map((name) => {
    const { stdout, stderr } = spawnSync(name, [VERSION_FLAGS[name]], { encoding: "utf8", env });
    const [found] = `${stdout}${stderr}`.match(/\d+\.[\w.]+( \(\w+\))?/) ?? ["of unknown version"];
    return `${name} ${found}`;
  });
  return versions.join(", ");
}

/** Path of the compiled bench/c/NAME.c. */
export function compiled(name) {
  mkdirSync(HOME, { recursive: true });
  const program = `${HOME}${name}`;
  execFileSync("g++", ["-x", "c", "-O2", "-Wall", "-o", program, `${SOURCES}${name}.c`]);
  return program;
}

/**
 * The entry of an npm package that only a benchmark compares with; installed on first use.
 * @returns null where it cannot be installed; `complain` is told why
 */
export function peerPackage(name, version, complain) {
  const folder = `${HOME}npm/`;
  const entry = `${folder}node_modules/${name}`;
  if (!existsSync(`${entry}/build/Release`)) {
    mkdirSync(folder, { recursive: true });
    const own = {
      private: true,
      dependencies: { [name]: version },
      allowScripts: { [name]: true },
    };
    writeFileSync(`${folder}package.json`, JSON.stringify(own));
    try {
      const install = ["install", "--no-audit", "--no-fund"];
      execFileSync("npm", install, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
    } catch (error) {
      complain(`${name} could not be installed: ${String(error.stderr ?? error.message).trim()}`);
      return null;
    }
  }
  return entry;
}
