/** A node that cannot start: each cause has its exit code and a message that names the fix. */
import { spawnSync } from "node:child_process";
import { chownSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { ending } from "../../src/demo/children.js";
import { Lab } from "../../src/demo/lab.js";
import { nodeFiles, type Overrides } from "../../src/demo/node-process.js";
import { atRest, logged, startNodes } from "../fixture/cluster.js";
import { JsonLines } from "../fixture/lines.js";
import { fixture, rootOnly } from "../fixture/netns.js";

const MAIN = fixture("../../dist/main.js");
const NOBODY = 65_534;

/** What a user other than root can start from where this repository lies. */
const asNobody = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
const isReadable =
  process.getuid?.() === 0 &&
  spawnSync(asNobody[0] as string, [...asNobody.slice(1), process.execPath, MAIN, "--version"])
    .status === 0;

rootOnly("shardwall run", () => {
  let lab: Lab;

  beforeAll(() => {
    lab = Lab.open(2);
  });
  afterAll(() => lab?.close());

  /** Starts node 1 and waits for its end. @returns what it said, without its log */
  async function refusal(exitCode: number, overrides: Overrides): Promise<string> {
    startNodes(lab, [1], overrides);
    expect(await lab.node(1).ended).toEqual({ code: exitCode, signal: null });
    await logged(lab, 1, /^shardwall: /);
    expect(lab.exec("node1", ["nft", "list", "ruleset"])).not.toContain("shardwall");
    expect(lab.exec("node1", ["ip", "address"])).not.toContain("192.168.0.5");
    return lab
      .node(1)
      .log.filter((line) => !line.startsWith("{"))
      .join("\n");
  }

  test("an unknown key: exit 2, with line and what was meant", async () => {
    const said = await refusal(2, { cluster: { hash: { sead: 1 } } });
    expect(said).toMatch(/shardwall\.yaml/);
    expect(said).toMatch(/cluster\.hash\.sead/);
    expect(said).toMatch(/seed/);
  });

  test("a value out of bounds: exit 2, with what is allowed", async () => {
    const said = await refusal(2, { node: 256, dataplane: { queues: 0 } });
    expect(said).toMatch(/node.*256/);
    expect(said).toMatch(/1\.\.255/);
    expect(said).toMatch(/dataplane\.queues/);
  });

  test("text that is no YAML: exit 2", () => {
    const file = join(lab.directory, "broken.yaml");
    writeFileSync(file, "node: [1\n");
    const ran = spawnSync(process.execPath, [MAIN, "run", "-c", file], { encoding: "utf8" });
    expect(ran.status).toBe(2);
    expect(ran.stderr).toMatch(/broken\.yaml:\d+/);
  });

  test("an interface that is missing: exit 1, with its name", async () => {
    const interfaces = [{ name: "eth9", mac: "01:00:5e:00:01:01", addresses: ["192.168.0.5/24"] }];
    expect(await refusal(1, { interfaces })).toMatch(/interface eth9: ENODEV/);
  });

  test("a secret that others may read: exit 2, with the command that mends it", async () => {
    const secretFile = join(lab.directory, "open-secret");
    writeFileSync(secretFile, readFileSync(nodeFiles(lab.directory, 0).secret), { mode: 0o644 });
    const said = await refusal(2, { cluster: { secretFile } });
    expect(said).toContain(`chmod 600 ${secretFile}`);
  });

  test("a queue that another process has: exit 1, with what to do", async () => {
    const other = lab.spawn("node1", [process.execPath, fixture("queue-echo.mjs")]);
    expect(await new JsonLines(other).ask({ do: "open", number: 100 })).toEqual({});
    const said = await refusal(1, {});
    expect(said).toMatch(/open NFQUEUE 100: EBUSY .another process has it.*firstQueue/);
    other.kill("SIGKILL");
    await ending(other);
  });

  test.skipIf(!isReadable)(
    `without permission: exit 3, with what is needed${isReadable ? "" : " (SKIPPED: others cannot read this repository)"}`,
    () => {
      // Not in the lab's directory, which is root's alone.
      const home = mkdtempSync(join(tmpdir(), "shardwall-nobody-"));
      onTestFinished(() => rmSync(home, { recursive: true }));
      const secret = join(home, "secret");
      copyFileSync(nodeFiles(lab.directory, 0).secret, secret);
      for (const path of [home, secret]) chownSync(path, NOBODY, NOBODY);
      const text = readFileSync(nodeFiles(lab.directory, 1).config, "utf8");
      const config = join(home, "shardwall.yaml");
      writeFileSync(config, text.replaceAll(lab.directory, home), { mode: 0o644 });
      const run = [...asNobody, process.execPath, MAIN, "run", "-c", config];
      const ran = spawnSync("ip", ["netns", "exec", lab.nsName("node1"), ...run], {
        encoding: "utf8",
        timeout: 20_000,
      });
      expect(ran.stderr).toMatch(/CAP_NET_ADMIN/);
      expect(ran.status).toBe(3);
    },
  );

  test("a second node on the same socket: exit 1, the first one lives on", async () => {
    startNodes(lab, [1]);
    await lab.waitFor("node 1", async () => (await lab.status(1).catch(() => null)) !== null);
    const { config, socket } = lab.node(1).files;
    const second = spawnSync(
      "ip",
      ["netns", "exec", lab.nsName("node1"), process.execPath, MAIN, "run", "-c", config],
      { encoding: "utf8" },
    );
    expect(second.status).toBe(1);
    expect(second.stderr).toContain(`${socket}: another node runs on this socket`);
    await atRest(lab, [1]);
    expect(lab.exec("node1", ["nft", "list", "ruleset"])).toContain("shardwall_lab");
    expect(lab.exec("node1", ["ip", "address"])).toContain("192.168.0.5");
  });
});
