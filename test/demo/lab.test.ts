/**
 * The lab builds what it says, twice at once if asked, and leaves nothing behind however it ends.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { Lab, type LabOptions } from "../../src/demo/lab.js";
import { rolesOf } from "../../src/demo/topology.js";
import { rootOnly } from "../fixture/netns.js";

const COMPILED_LAB = fileURLToPath(new URL("../../dist/demo/lab.js", import.meta.url));

function namespaces(): string[] {
  return existsSync("/run/netns") ? readdirSync("/run/netns") : [];
}

/** Whether a process exists; one that is dead and only not yet waited for does not. */
function isAlive(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
  return stdout.trim() !== "" && !stdout.startsWith("Z");
}

rootOnly("lab", () => {
  const labs: Lab[] = [];
  const open = (nodes: number, options?: LabOptions) => {
    const lab = Lab.open(nodes, options);
    labs.push(lab);
    return lab;
  };
  afterEach(async () => {
    await Promise.all(labs.splice(0).map((lab) => lab.close()));
  });

  test("close leaves no namespace, process or file, and may be repeated", async () => {
    const lab = open(2);
    const names = rolesOf("firewall", [1, 2]).map((role) => lab.nsName(role));
    expect(namespaces()).toEqual(expect.arrayContaining(names));
    const child = lab.spawn("client", ["sleep", "600"]);
    expect(isAlive(child.pid as number)).toBe(true);
    await lab.close();
    await lab.close();
    expect(namespaces().filter((name) => names.includes(name))).toEqual([]);
    expect(isAlive(child.pid as number)).toBe(false);
    expect(existsSync(lab.directory)).toBe(false);
  });

  test("no interface of it has a name outside of it", () => {
    const lab = open(2);
    const inside = lab.exec("switch", ["ls", "/sys/class/net"]).trim().split(/\s+/);
    expect(inside).toEqual(expect.arrayContaining(["inside-1", "outside-2", "sync-1"]));
    const common = readdirSync("/sys/class/net").filter((name) => inside.includes(name));
    expect(common).toEqual(["lo"]);
  });

  test("two labs at once do not meet", () => {
    const [one, two] = [open(2), open(2)];
    expect(one.nsName("client")).not.toBe(two.nsName("client"));
    one.exec("node1", ["ip", "link", "set", "eth1", "mtu", "1400"]);
    expect(two.exec("node1", ["cat", "/sys/class/net/eth1/mtu"]).trim()).toBe("1500");
  });

  test("an open that fails leaves nothing", () => {
    const lab = open(1);
    // The next lab's names differ in their number only: one of them is taken already.
    const taken = lab.nsName("node1").replace(/-(\d+)-node1$/, (_, n) => `-${Number(n) + 1}-node2`);
    const prefix = taken.replace(/node2$/, "");
    spawnSync("ip", ["netns", "add", taken]);
    expect(() => Lab.open(3)).toThrow(/File exists/);
    expect(namespaces().filter((name) => name.startsWith(prefix))).toEqual([]);
  });

  test("a cable that is pulled out takes the node's carrier", async () => {
    const lab = open(2);
    const carrier = (id: number) =>
      lab.exec(`node${id}`, ["cat", "/sys/class/net/eth2/carrier"]).trim();
    expect([carrier(1), carrier(2)]).toEqual(["1", "1"]);
    lab.setCable(2, "outside", "down");
    await lab.waitFor("loss of carrier", () => carrier(2) === "0");
    expect(carrier(1)).toBe("1");
    lab.setCable(2, "outside", "up");
    await lab.waitFor("carrier", () => carrier(2) === "1");
  });

  test("in host mode there is no outside", () => {
    const lab = open(2, { mode: "host" });
    expect(lab.exec("node2", ["ls", "/sys/class/net"]).trim().split(/\s+/)).toEqual(
      expect.not.arrayContaining(["eth2"]),
    );
    expect(namespaces()).not.toContain(lab.nsName("server"));
  });

  test("a wait that fails names what it waited for", async () => {
    const lab = open(1);
    await expect(lab.waitFor("miracle", () => false, 50)).rejects.toThrow("no miracle within 50");
  });
});

rootOnly("the end of the process", () => {
  /** Opens a lab with a process in it, tells both, then does what `end` says. */
  function opener(end: string) {
    const program = `
      import { Lab } from ${JSON.stringify(COMPILED_LAB)};
      const lab = Lab.open(2);
      const { pid } = lab.spawn("client", ["sleep", "600"]);
      console.log(JSON.stringify({ directory: lab.directory, name: lab.nsName("client"), pid }));
      ${end}`;
    return spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "ignore"],
    });
  }

  const stay = "setInterval(() => {}, 1000);";
  const cases: [string, string, NodeJS.Signals | null, number][] = [
    ["Ctrl-C", stay, "SIGINT", 130],
    ["SIGTERM", stay, "SIGTERM", 143],
    ["SIGHUP", stay, "SIGHUP", 129],
    ["an uncaught error", "setTimeout(() => { throw new Error('x'); }, 10);", null, 1],
    ["process.exit", "process.exit(7);", null, 7],
  ];

  describe.each(cases)("%s", (_, end, signal, exitCode) => {
    test("leaves nothing", async () => {
      const child = opener(end);
      const exit = once(child, "exit");
      const [line] = (await once(child.stdout, "data")) as [Buffer];
      const { directory, name, pid } = JSON.parse(line.toString());
      if (signal !== null) child.kill(signal);
      expect((await exit)[0]).toBe(exitCode);
      expect(namespaces()).not.toContain(name);
      expect(isAlive(pid)).toBe(false);
      expect(existsSync(directory)).toBe(false);
    });
  });
});
