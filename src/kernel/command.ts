/** Runs the system's own tools (`nft`, `ip`), at start and stop only. */
import { execFileSync } from "node:child_process";
import { OpError } from "../platform/op-error.js";

const TIMEOUT_MS = 10_000;

/** Debian package that holds a tool, for the message when it is missing. */
const PACKAGES: Record<string, string> = { nft: "nftables", ip: "iproute2" };

/**
 * Runs a tool to its end and returns its standard output.
 * @param input written to its standard input
 * @throws OpError with what the tool said
 */
export function runTool(tool: string, args: readonly string[], input = ""): string {
  try {
    return execFileSync(tool, args, {
      input,
      encoding: "utf8",
      timeout: TIMEOUT_MS,
      maxBuffer: 16 * 1024 * 1024,
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin`, LC_ALL: "C" },
    });
  } catch (cause) {
    throw toolError(tool, args, cause);
  }
}

function toolError(tool: string, args: readonly string[], cause: unknown): OpError {
  const failed = cause as NodeJS.ErrnoException & { stderr?: string };
  const name = [tool, ...args].join(" ");
  if (failed.code === "ENOENT") {
    const hint = `${tool} is not installed; install the package ${PACKAGES[tool] ?? tool}`;
    return new OpError(name, "EOPNOTSUPP", hint, { cause });
  }
  const said = (failed.stderr ?? failed.message).trim().split("\n").slice(0, 3).join("; ");
  const denied = /not permitted|permission denied|must be root/i.test(said);
  const unsupported = /not supported|could not process rule: no such file/i.test(said);
  const code = denied ? "EPERM" : unsupported ? "EOPNOTSUPP" : "";
  return new OpError(name, code, denied ? `${said}; needs CAP_NET_ADMIN` : said, { cause });
}
