/**
 * A cluster on one machine: client, switches, nodes and server in network namespaces, wired as
 * topology.ts says.
 *
 * Nothing may be left behind, so nothing is built asynchronously: while `open` builds, no signal
 * handler runs, and afterwards the lab knows every namespace and process it has. The last way out
 * is the process's `exit` event, which also follows an uncaught error. Only SIGKILL leaves
 * namespaces (never processes): `shardwall demo` therefore runs in a mount namespace of its own
 * (sandbox.ts) that takes them along.
 */
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { StatusReport } from "../api/report.js";
import { runTool } from "../kernel/command.js";
import { bootMs } from "../platform/clock.js";
import { Children } from "./children.js";
import { closeAtExit, isClosedAtExit, noLongerAtExit } from "./exit-guard.js";
import {
  merged,
  NodeProcess,
  nodeConfig,
  nodeFiles,
  type Overrides,
  writeConfig,
} from "./node-process.js";
import {
  type Cable,
  clientSetup,
  type LabMode,
  nodeSettings,
  nodeSetup,
  portOf,
  type Role,
  rolesOf,
  serverSetup,
  switchSetup,
  wiring,
} from "./topology.js";

export interface LabOptions {
  readonly mode?: LabMode;
  /** Where the lab's directory is made; the system's directory for temporary files by default. */
  readonly directory?: string;
}

/** Milliseconds between two looks of `waitFor`. */
const LOOK_MS = 20;

/**
 * A switch does not look into packets; where br_netfilter is loaded, bridges pass them to IP's
 * hooks.
 */
const UNFILTERED = `for file in /proc/sys/net/bridge/bridge-nf-call-*tables; do
  [ ! -w "$file" ] || echo 0 >"$file"
done`;

/** The compiled program: also what tests of the TypeScript sources start. */
const DIST = fileURLToPath(new URL("../../dist/", import.meta.url));

let labsMade = 0;

export class Lab {
  readonly mode: LabMode;
  readonly nodes: readonly number[];
  /** Holds configurations, the secret and the sockets. */
  readonly directory: string;
  private readonly prefix: string;
  private readonly children = new Children();
  private readonly processes = new Map<number, NodeProcess>();

  /**
   * Builds a lab; no node is started.
   * @param nodes number of nodes, their ids are 1..nodes
   * @throws OpError when a tool, a permission or kernel support is missing; nothing is left then
   */
  static open(nodes: number, options: LabOptions = {}): Lab {
    const lab = new Lab(nodes, options);
    closeAtExit(lab);
    try {
      lab.build();
    } catch (error) {
      lab.closeNow();
      throw error;
    }
    return lab;
  }

  private constructor(nodes: number, options: LabOptions) {
    this.mode = options.mode ?? "firewall";
    this.nodes = Array.from({ length: nodes }, (_, index) => index + 1);
    // Two labs of one process differ in the number, those of two processes in the pid.
    this.prefix = `swlab-${process.pid}-${++labsMade}`;
    this.directory = mkdtempSync(join(options.directory ?? tmpdir(), "swlab-"));
  }

  /** Name of a role's network namespace, for `ip netns exec`. */
  nsName(role: Role): string {
    return `${this.prefix}-${role}`;
  }

  /** Runs a program in a namespace to its end; returns its stdout. @throws OpError */
  exec(role: Role, argv: readonly string[], input = ""): string {
    return runTool("ip", ["netns", "exec", this.nsName(role), ...argv], input);
  }

  /** Starts a program in a namespace; the pid is the program's own, its output must be read. */
  spawn(role: Role, argv: readonly string[]): ChildProcess {
    return this.children.spawn(["ip", "netns", "exec", this.nsName(role), ...argv]);
  }

  /** Starts one of our own compiled programs. @param module path below dist/ */
  spawnOwn(role: Role, module: string, args: readonly string[]): ChildProcess {
    return this.spawn(role, [process.execPath, join(DIST, module), ...args]);
  }

  /** Starts `shardwall run` as node `id`, or starts it again after its end. */
  startNode(id: number, overrides: Overrides = {}): NodeProcess {
    if (this.processes.get(id)?.running) throw new Error(`node ${id} is running`);
    const files = nodeFiles(this.directory, id);
    writeConfig(files, merged(nodeConfig(id, this.mode, files), overrides));
    const child = this.spawnOwn(`node${id}`, "main.js", ["run", "-c", files.config]);
    const node = new NodeProcess(id, files, child);
    this.processes.set(id, node);
    return node;
  }

  /** The last process that was started as node `id`. */
  node(id: number): NodeProcess {
    const node = this.processes.get(id);
    if (node === undefined) throw new Error(`node ${id} was never started`);
    return node;
  }

  /** The last log lines of each node that was ever started, oldest first. */
  logs(): (readonly [id: number, log: readonly string[]])[] {
    return [...this.processes].map(([id, { log }]) => [id, log] as const);
  }

  status(id: number): Promise<StatusReport> {
    return this.node(id).status();
  }

  /** Status of each running node, by id; one that does not answer is missing. */
  async statuses(): Promise<Map<number, StatusReport>> {
    const running = [...this.processes.values()].filter((node) => node.running);
    const answers = await Promise.all(running.map((node) => node.status().catch(() => null)));
    const found = new Map<number, StatusReport>();
    running.forEach((node, index) => {
      const answer = answers[index];
      if (answer) found.set(node.id, answer);
    });
    return found;
  }

  /**
   * Waits until a condition holds.
   * @returns milliseconds it took
   * @throws Error that names `what` and the last log lines of nodes that are not running
   */
  async waitFor(what: string, holds: () => Promise<boolean> | boolean, timeoutMs = 15_000) {
    const start = bootMs();
    while (!(await holds())) {
      if (bootMs() - start > timeoutMs) {
        throw new Error(`no ${what} within ${timeoutMs} ms${this.obituary()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    return bootMs() - start;
  }

  /** Pulls a node's cable out of the switch, or plugs it in again: the node sees its carrier go. */
  setCable(id: number, cable: Cable, state: "up" | "down"): void {
    this.ip("switch", [`link set ${portOf(cable, id)} ${state}`]);
  }

  /** Ends all processes and removes everything. Safe to repeat. */
  async close(): Promise<void> {
    this.children.killAll();
    await this.children.ended();
    this.closeNow();
  }

  /** The same in one blocking call, for the end of the process. */
  closeNow(): void {
    if (!isClosedAtExit(this)) return;
    this.children.killAll();
    this.children.awaitDeath();
    const lines = rolesOf(this.mode, this.nodes).map((role) => `netns delete ${this.nsName(role)}`);
    try {
      // -force: a lab that could not be built to its end lacks some of them.
      runTool("ip", ["-force", "-batch", "-"], lines.join("\n"));
    } catch {
      // `ip` itself failed; whoever watches the lab sees what is left, the rest goes on.
    }
    rmSync(this.directory, { recursive: true, force: true });
    noLongerAtExit(this);
  }

  private build(): void {
    const { secret } = nodeFiles(this.directory, 0);
    runTool(process.execPath, [join(DIST, "main.js"), "keygen", "-o", secret]);
    const lines = wiring(this.mode, this.nodes, (role) => this.nsName(role));
    runTool("ip", ["-batch", "-"], lines.join("\n"));
    for (const id of this.nodes) {
      this.set(`node${id}`, nodeSettings(this.mode));
      this.ip(`node${id}`, nodeSetup(this.mode, id));
    }
    this.exec("switch", ["sh", "-e"], UNFILTERED);
    this.ip("switch", switchSetup(this.mode, this.nodes));
    this.ip("client", clientSetup());
    if (this.mode === "firewall") this.ip("server", serverSetup());
  }

  private ip(role: Role, lines: readonly string[]): void {
    runTool("ip", ["-n", this.nsName(role), "-batch", "-"], lines.join("\n"));
  }

  private set(role: Role, settings: Record<string, string>): void {
    const lines = Object.entries(settings).map(([key, value]) => `echo ${value} >/proc/sys/${key}`);
    this.exec(role, ["sh", "-e"], lines.join("\n"));
  }

  private obituary(): string {
    const dead = [...this.processes.values()].filter((node) => !node.running);
    return dead
      .map(
        (node) =>
          `\nnode ${node.id} is not running (${node.fate}):\n  ${node.log.slice(-5).join("\n  ")}`,
      )
      .join("");
  }
}
