/**
 * What a node needs to be allowed, and what becomes of its secret: the settings of the unit in
 * OPERATIONS.md, tried out with setpriv(1).
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadSecrets } from "../../src/config/secret.js";
import { Lab } from "../../src/demo/lab.js";
import {
  merged,
  NodeProcess,
  nodeConfig,
  nodeFiles,
  writeConfig,
} from "../../src/demo/node-process.js";
import { TIMING } from "../fixture/cluster.js";
import { fixture, rootOnly } from "../fixture/netns.js";

const NODE = 1;
/** Bits of capability.h: CAP_NET_ADMIN 12, CAP_NET_RAW 13, CAP_SYS_NICE 23. */
const KEPT = (1 << 12) | (1 << 13) | (1 << 23);
const SETPRIV = [
  ...["setpriv", "--bounding-set=-all,+net_admin,+net_raw,+sys_nice"],
  ...["--inh-caps=-all", "--no-new-privs"],
];

rootOnly("a node with three capabilities and no way to more", () => {
  let lab: Lab;
  let node: NodeProcess;

  beforeAll(async () => {
    lab = Lab.open(1);
    const files = nodeFiles(lab.directory, NODE);
    const own = { timing: TIMING, log: { level: "trace" } };
    writeConfig(files, merged(nodeConfig(NODE, "firewall", files), own));
    const main = fixture("../../dist/main.js");
    const argv = [...SETPRIV, process.execPath, main, "run", "-c", files.config];
    node = new NodeProcess(NODE, files, lab.spawn(`node${NODE}`, argv));
    const isWhole = async () => (await node.status().catch(() => null))?.ownedBuckets === 256;
    await lab.waitFor("a node that serves alone", isWhole, 25_000).catch((error) => {
      throw new Error(`${error.message}\n${node.fate}\n${node.log.join("\n")}`);
    });
  });
  afterAll(() => lab?.close());

  const proc = (name: string) => readFileSync(`/proc/${node.pid}/${name}`, "latin1");

  test("serves, and has nothing else that it could abuse", () => {
    const status = proc("status");
    const mask = (name: string) =>
      Number.parseInt(new RegExp(`^${name}:\\s+(\\w+)$`, "m").exec(status)?.[1] ?? "0", 16);
    expect(proc("cmdline")).toContain("run");
    expect([mask("CapEff"), mask("CapPrm"), mask("CapBnd")]).toEqual([KEPT, KEPT, KEPT]);
    expect(mask("CapAmb")).toBe(0);
    expect(mask("NoNewPrivs")).toBe(1);
    const warned = node.log.filter((line) => JSON.parse(line).level >= 50);
    expect(warned).toEqual([]);
  });

  test("shows its secret nowhere: arguments, environment, log, status", async () => {
    const { current } = loadSecrets(node.files.secret);
    const shown = JSON.stringify(await node.status()) + node.log.join("\n");
    const places = [proc("cmdline"), proc("environ"), shown];
    const forms = ["hex", "base64", "base64url", "latin1"] as const;
    for (const form of forms) {
      const text = Buffer.from(current).toString(form);
      for (const place of places) expect(place.includes(text.slice(0, 20))).toBe(false);
    }
    expect(places[2]?.length).toBeGreaterThan(1000);
  });

  test("opens no port but its link's, and no inspector", () => {
    const main = lab.exec(`node${NODE}`, ["ss", "-Hlntu"]).trim().split("\n");
    const ports = main.map((line) => line.trim().split(/\s+/)[4]?.split(":").at(-1));
    expect([...new Set(ports)]).toEqual(["3780"]);
  });
});
