/** A small complete configuration, and ways to change a part of it. */
import { type Config, ConfigError, parseConfig } from "../../src/config/config.js";

export const EXAMPLE = `node: 1
cluster:
  name: edge
  secretFile: /etc/shardwall/secret
  buckets: 256
  hash: { mode: tuple, seed: 0xdeadbeef }
links:
  - { interface: eth3, group: 225.0.0.50, port: 3780 }
timing: { heartbeatMs: 50, failureMs: 200 }
interfaces:
  - { name: eth1, mac: "01:00:5e:00:01:01", addresses: [192.168.0.5/24] }
  - { name: eth2, mac: "01:00:5e:00:01:02", addresses: [192.168.1.5/24, "2001:db8::5/64"] }
dataplane: { backend: nfqueue, queues: 2, firstQueue: 100, onExit: drop }
sync: { protocols: [tcp, udp, icmp] }
api: { socket: /run/shardwall/shardwall.sock, metrics: "127.0.0.1:9470" }
`;

/** The example with `before` (which must be in it) replaced by `after`. */
export function changed(before: string, after: string): string {
  if (!EXAMPLE.includes(before)) throw new Error(`not in the example: ${before}`);
  return EXAMPLE.replace(before, after);
}

export function parse(text: string): Config {
  return parseConfig(text, "/etc/shardwall/node.yaml");
}

/** What a configuration is refused for, a line each without the file's name. */
export function refusals(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split("\n").map((line) => line.replace("/etc/shardwall/node.yaml:", ""));
  }
  return [];
}
