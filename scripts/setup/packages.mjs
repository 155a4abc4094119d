/** Debian packages, found by the programs and headers they bring: any source of them will do. */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { Missing, runLogged } from "./step.mjs";

/** Package -> a program (looked for on the path) or a file (absolute) that shows it is there. */
const PACKAGES = {
  "g++": "g++",
  make: "make",
  python3: "python3",
  nftables: "nft",
  iproute2: "ip",
  "util-linux": "unshare",
};

/** Peers that the tests compare with, and tools that they use. */
const TEST_PACKAGES = {
  iptables: "iptables",
  conntrack: "conntrack",
  "iputils-ping": "ping",
  procps: "sysctl",
  curl: "curl",
};

/**
 * Servers that the tests start themselves. Where an init system runs, installing one would start it
 * for all the world; there the tests that need it are skipped.
 */
const TEST_SERVICES = existsSync("/run/systemd/system") ? {} : { vsftpd: "vsftpd" };

const ALL_PACKAGES = { ...PACKAGES, ...TEST_PACKAGES, ...TEST_SERVICES };

/** Administrators' programs live where an ordinary user's PATH does not look. */
const SYSTEM_PATH = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin", "/bin"];

/** Names of the packages that are not there. */
export function missingPackages(withTests) {
  const wanted = withTests ? ALL_PACKAGES : PACKAGES;
  return Object.entries(wanted)
    .filter(([, sign]) => !isPresent(sign))
    .map(([name]) => name);
}

function isPresent(sign) {
  if (sign.startsWith("/")) return existsSync(sign);
  const directories = [...(process.env.PATH ?? "").split(delimiter), ...SYSTEM_PATH];
  return directories.some((directory) => directory !== "" && existsSync(join(directory, sign)));
}

/** Installs packages as root; otherwise names them with the command to type. */
export function installPackages(names, log) {
  const list = names.join(" ");
  if (!isPresent("apt-get")) {
    throw new Missing(`please install what these Debian packages hold: ${list}`);
  }
  if (process.getuid() !== 0) {
    const command = `sudo apt-get update && sudo apt-get install -y ${list}`;
    throw new Missing(`some system packages are missing. Install them with:\n  ${command}`);
  }
  console.error(`setup: installing ${list}`);
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  runLogged("/", "apt-get", ["update", "-q"], log, environment);
  const install = ["install", "-y", "-q", "--no-install-recommends", ...names];
  runLogged("/", "apt-get", install, log, environment);
  const still = names.filter((name) => !isPresent(ALL_PACKAGES[name]));
  if (still.length > 0) throw new Missing(`installed, but not found: ${still.join(" ")}`);
}
