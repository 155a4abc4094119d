/**
 * Own status: what this node must have to carry its share. A node that lacks something hands its
 * range over instead of dropping it on the floor.
 */
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import type { ControlRequest } from "../cluster/messages.js";
import type { Config } from "../config/types.js";
import { readSysctl } from "../kernel/sysctl.js";
import type { Logger } from "../platform/log.js";
import { GatewayProbe } from "./probe.js";

export type Interfaces = NodeJS.Dict<NetworkInterfaceInfo[]>;

/** A gateway counts as reachable when it answered within this time. */
const PROBE_WINDOW_MS = 1600;

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

/** Watches what {@link unfitReasons} looks at and the gateways, and tells the control thread. */
export class Fitness {
  reasons: readonly string[];
  private readonly gateways: GatewayProbe | null = null;

  constructor(
    private readonly config: Config,
    private readonly log: Logger,
    private readonly tell: (request: ControlRequest) => void,
  ) {
    const { node, membership } = config;
    if (membership.probes.length > 0) {
      this.gateways = new GatewayProbe(membership.probes, (process.pid ^ (node << 8)) & 0xffff);
      this.gateways.send();
    }
    this.reasons = unfitReasons(config);
    tell({ kind: "fit", reasons: this.reasons });
  }

  /** Asks the gateways for a sign of life. */
  probe(): void {
    this.gateways?.send();
  }

  check(): void {
    const reasons = unfitReasons(this.config);
    const isReachable = this.gateways?.isReachable(PROBE_WINDOW_MS) ?? true;
    if (this.gateways !== null) this.tell({ kind: "probe", ok: isReachable });
    if (!isReachable)
      reasons.push(`no gateway answers: ${this.config.membership.probes.join(", ")}`);
    if (reasons.join() === this.reasons.join()) return;
    this.reasons = reasons;
    this.log.warn({ reasons }, reasons.length > 0 ? "not fit to serve" : "fit to serve again");
    this.tell({ kind: "fit", reasons });
  }

  close(): void {
    this.gateways?.close();
  }
}

/** What keeps packets to others from being forwarded. */
export function forwardingWarnings(config: Config): string[] {
  if (config.interfaces.length < 2 || readSysctl("net.ipv4.ip_forward") !== "0") return [];
  return ["net.ipv4.ip_forward is 0: packets to others will not be forwarded"];
}
