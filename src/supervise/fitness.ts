/**
 * Own status: what this node must have to carry its share. A node that lacks something hands its
 * range over instead of dropping it on the floor.
 */
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import type { Config } from "../config/types.js";

export type Interfaces = NodeJS.Dict<NetworkInterfaceInfo[]>;

const plain = (address: string) => address.split("/")[0] as string;

/**
 * Why the node is unfit, in words for the user; empty when all is well.
 * @param interfaces those that are up and running, as `os.networkInterfaces()` lists them
 */
export function unfitReasons(
  config: Pick<Config, "interfaces">,
  interfaces: Interfaces = networkInterfaces(),
): string[] {
  const reasons: string[] = [];
  for (const link of config.interfaces) {
    if (link.addresses.length === 0) continue;
    const running = interfaces[link.name];
    if (running === undefined) {
      reasons.push(`${link.name}: no carrier, down or gone`);
      continue;
    }
    const present = new Set(running.map((info) => info.address));
    for (const { address } of link.addresses) {
      if (!present.has(plain(address))) reasons.push(`${link.name}: address ${address} is missing`);
    }
  }
  return reasons;
}
