/** Interfaces and their addresses, through `ip -json`. */
import { OpError } from "../platform/op-error.js";
import { runTool } from "./command.js";

export interface LinkInfo {
  readonly ifindex: number;
  /** six bytes, lower-case hex with colons */
  readonly mac: string;
  /** `address/prefix` as the kernel writes them */
  readonly addresses: readonly string[];
}

interface IpAddress {
  ifindex: number;
  address?: string;
  addr_info?: { local?: string; prefixlen?: number }[];
}

/** @throws OpError when the interface does not exist */
export function readLink(name: string): LinkInfo {
  let text: string;
  try {
    text = runTool("ip", ["-json", "address", "show", "dev", name]);
  } catch (cause) {
    const hint = "no such interface; see `ip link`";
    if (/does not exist/.test(String(cause)))
      throw new OpError(`interface ${name}`, "ENODEV", hint);
    throw cause;
  }
  const [link] = (JSON.parse(text) as IpAddress[]).filter((entry) => entry.ifindex !== undefined);
  if (link === undefined) throw new OpError(`interface ${name}`, "ENODEV", "see `ip link`");
  const addresses = (link.addr_info ?? []).map((info) => `${info.local}/${info.prefixlen}`);
  return { ifindex: link.ifindex, mac: link.address ?? "", addresses };
}

/** Those of `addresses` that the interface does not have. */
export function missingAddresses(name: string, addresses: readonly string[]): string[] {
  const present = new Set(readLink(name).addresses);
  return addresses.filter((address) => !present.has(address));
}

/**
 * Adds addresses. IPv6 ones skip duplicate address detection: every node of the cluster has them,
 * on purpose.
 */
export function addAddresses(name: string, addresses: readonly string[]): void {
  for (const address of addresses) {
    const flags = address.includes(":") ? ["nodad"] : [];
    runTool("ip", ["address", "add", address, "dev", name, ...flags]);
  }
}

/** Removes addresses; one that is gone already is fine. */
export function removeAddresses(name: string, addresses: readonly string[]): void {
  for (const address of addresses) {
    try {
      runTool("ip", ["address", "delete", address, "dev", name]);
    } catch (error) {
      if (!/Cannot assign|does not exist|Cannot find device/.test(String(error))) throw error;
    }
  }
}
