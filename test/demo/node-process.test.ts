/** Configurations of the lab's nodes, and the ports that lead into a range. */

import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import type { Run } from "../../src/api/report.js";
import { parseTuple } from "../../src/cli/tuple.js";
import { parseConfig } from "../../src/config/config.js";
import { LAB_HASH, merged, nodeConfig, nodeFiles } from "../../src/demo/node-process.js";
import { portsInto } from "../../src/demo/ports.js";
import { BucketHash } from "../../src/packet/flow/bucket.js";

describe("configuration", () => {
  const files = nodeFiles("/tmp/lab", 3);

  test.each(["firewall", "host"] as const)("of a %s node is one that run accepts", (mode) => {
    const config = parseConfig(stringify(nodeConfig(3, mode, files)), files.config);
    expect(config.node).toBe(3);
    expect(config.api.socket).toBe(files.socket);
    expect(config.interfaces.map(({ name }) => name)).toEqual(
      mode === "host" ? ["eth1"] : ["eth1", "eth2"],
    );
    expect(config.cluster.hash.seed).toBe(LAB_HASH.seed);
  });

  test("changes are laid over it: sections merged, lists replaced", () => {
    const base = { node: 1, timing: { heartbeatMs: 50, failureMs: 200 }, links: [1, 2] };
    const changes = { timing: { failureMs: 400 }, links: [3], extra: true };
    expect(merged(base, changes)).toEqual({
      node: 1,
      timing: { heartbeatMs: 50, failureMs: 400 },
      links: [3],
      extra: true,
    });
    expect(base.timing.failureMs).toBe(200);
  });
});

describe("ports into a range", () => {
  const range: Run[] = [
    [10, 12],
    [200, 200],
  ];

  test("give tuples whose bucket is in it", () => {
    const ports = portsInto(range, 50);
    const hash = new BucketHash(LAB_HASH);
    const buckets = ports.map((port) => {
      const { packet } = parseTuple(`tcp,192.168.0.3:${port},192.168.1.2:81`);
      return hash.bucketOf(hash.hash(packet));
    });
    expect(new Set(ports).size).toBe(50);
    expect([...new Set(buckets)].sort((a, b) => a - b)).toEqual([10, 11, 12, 200]);
  });

  test("of an empty range are none", () => {
    expect(portsInto([], 50)).toEqual([]);
  });
});
