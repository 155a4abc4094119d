/** Debian packages, found by the programs and headers they bring: any source of them will do. */
import { existsSync, rmSync, writeFileSync } from "node:fs";
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
  openssl: "openssl",
  "openssh-client": "scp",
  socat: "socat",
  wrk: "wrk",
};

/**
 * Services that the tests start themselves, with configurations of their own. Debian starts a
 * service when it is installed; see {@link mayInstallServices}.
 */
const TEST_SERVICES = {
  haproxy: "haproxy",
  "nginx-light": "nginx",
  "openssh-server": "sshd",
  vsftpd: "vsftpd",
};

const ALL_PACKAGES = { ...PACKAGES, ...TEST_PACKAGES, ...TEST_SERVICES };

/** What shows that an init system runs: systemd, sysvinit, OpenRC. */
const INITS = ["/run/systemd/system", "/run/initctl", "/run/openrc"];

/** Debian's way to say which services an installation may start: none, if it answers 101. */
const POLICY = "/usr/sbin/policy-rc.d";

/** Administrators' programs live where an ordinary user's PATH does not look. */
const SYSTEM_PATH = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin", "/bin"];

/** Names of the packages that are not there and may be installed. */
export function missingPackages(withTests) {
  const services = mayInstallServices() ? TEST_SERVICES : {};
  const wanted = withTests ? { ...PACKAGES, ...TEST_PACKAGES, ...services } : PACKAGES;
  return Object.entries(wanted)
    .filter(([, sign]) => !isPresent(sign))
    .map(([name]) => name);
}

/**
 * A machine with an init system is somebody's: a service that is installed there is enabled, and
 * runs from the next start on. In a container that is made to be thrown away nothing does.
 */
function mayInstallServices() {
  return !INITS.some((sign) => existsSync(sign));
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
  startingNothing(() => runLogged("/", "apt-get", install, log, environment));
  const still = names.filter((name) => !isPresent(ALL_PACKAGES[name]));
  if (still.length > 0) throw new Missing(`installed, but not found: ${still.join(" ")}`);
}

/** Runs `work` under a policy that starts no service; one that is there already stays. */
function startingNothing(work) {
  if (existsSync(POLICY)) return work();
  writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    return work();
  } finally {
    rmSync(POLICY, { force: true });
  }
}
