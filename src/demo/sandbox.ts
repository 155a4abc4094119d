/**
 * Runs the demo again inside namespaces of its own: mount (with an empty /run), network, and as
 * an ordinary user a user namespace in which it is root. Named network namespaces are mounts
 * below /run/netns, so they end with the last process that sees them, even after SIGKILL, and
 * need no permission outside.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { CliError } from "../cli/error.js";
import { type Ending, ending, toolEnvironment } from "./children.js";

/** Set in the inner process. */
const INSIDE = "SHARDWALL_DEMO_INSIDE";

/** Programs the demo starts, with the Debian package that has them. */
const TOOLS = {
  ip: "iproute2",
  nft: "nftables",
  mount: "mount",
  unshare: "util-linux",
  setpriv: "util-linux",
};

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Whether this process is the inner one. */
export function isInside(): boolean {
  return process.env[INSIDE] === "1";
}

/**
 * The outer process: starts this program again inside and waits for it.
 * @returns its exit code
 * @throws CliError with exit code 3 and the fix where tools or permissions are missing
 */
export async function runInside(): Promise<number> {
  checkTools();
  const flags = [
    "--mount",
    "--net",
    ...(process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"]),
  ];
  checkNamespaces(flags);
  const mountRun = 'mount -t tmpfs -o mode=755 tmpfs /run || exit 3; exec "$@"';
  const program = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn(
    "unshare",
    [...flags, "--kill-child", "sh", "-c", mountRun, "sh", ...program],
    {
      stdio: ["inherit", "inherit", "inherit", "ipc"],
      env: { ...toolEnvironment(), [INSIDE]: "1" },
    },
  );
  return exitCodeOf(await passSignals(child));
}

/**
 * The inner process: ends when the outer one is told to, or is gone. unshare(1) ignores the
 * signals that a terminal does not send to the whole group, hence the channel.
 */
export function obeyOuter(): void {
  const end = (signal: NodeJS.Signals) => process.kill(process.pid, signal);
  process.on("message", (message: { signal: NodeJS.Signals }) => end(message.signal));
  process.on("disconnect", () => end("SIGTERM"));
  process.channel?.unref();
  // The outer one may have been killed before this one listened.
  if (!process.connected) end("SIGTERM");
}

async function passSignals(child: ChildProcess): Promise<Ending> {
  const pass = (signal: NodeJS.Signals) => {
    if (child.connected) child.send({ signal });
  };
  for (const signal of SIGNALS) process.on(signal, pass);
  try {
    return await ending(child);
  } finally {
    for (const signal of SIGNALS) process.off(signal, pass);
  }
}

function exitCodeOf({ code, signal }: Ending): number {
  if (signal !== null) process.stderr.write(`shardwall: the demo was ended by ${signal}\n`);
  return code ?? 1;
}

function checkTools(): void {
  const directories = (toolEnvironment().PATH ?? "").split(":");
  const missing = Object.entries(TOOLS).filter(
    ([tool]) => !directories.some((at) => isTool(at, tool)),
  );
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(([, name]) => name))].join(" ");
  const names = missing.map(([tool]) => tool).join(", ");
  throw new CliError(`demo needs ${names}; install: apt-get install ${packages}`, 3);
}

function isTool(directory: string, tool: string): boolean {
  try {
    accessSync(join(directory, tool), constants.X_OK);
    return directory !== "";
  } catch {
    return false;
  }
}

function checkNamespaces(flags: readonly string[]): void {
  const tried = spawnSync("unshare", [...flags, "true"], {
    encoding: "utf8",
    env: toolEnvironment(),
  });
  if (tried.status === 0) return;
  const said = (tried.stderr ?? "").trim() || tried.error?.message || "no reason given";
  const fix = flags.includes("--user")
    ? "run it as root, or allow user namespaces: sysctl user.max_user_namespaces, " +
      "kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns"
    : "it needs CAP_SYS_ADMIN and CAP_NET_ADMIN; in a container, start that with --privileged";
  throw new CliError(`demo may not make namespaces here (${said}); ${fix}`, 3);
}
