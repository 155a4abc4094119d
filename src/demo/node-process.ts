/** One `shardwall run` of the lab: its configuration file, its process, its log, its socket. */
import type { ChildProcess } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { stringify } from "yaml";
import type { StatusReport } from "../api/report.js";
import { ask } from "../cli/client.js";
import { type Ending, ending, isRunning } from "./children.js";
import { CABLES, INSIDE, type LabMode, OUTSIDE, SYNC } from "./topology.js";

/** Log lines kept per node; older ones are forgotten. */
const LOG_LINES_MAX = 500;

/** Hash of the lab's clusters; the seed is that of the cluster match's README. */
export const LAB_HASH = { mode: "tuple", seed: 0xdeadbeef, buckets: 256 } as const;

export const LAB_TIMING = { heartbeatMs: 50, failureMs: 200 } as const;

/** Keys of a configuration that differ from the lab's own: sections are merged, lists replaced. */
export type Overrides = { readonly [key: string]: unknown };

/** Where a node of the lab has its files. */
export interface NodeFiles {
  readonly config: string;
  readonly socket: string;
  readonly secret: string;
}

/** The paths of a node's files below the lab's directory. */
export function nodeFiles(directory: string, node: number): NodeFiles {
  const own = join(directory, `node${node}`);
  return {
    config: join(own, "shardwall.yaml"),
    socket: join(own, "run", "shardwall.sock"),
    secret: join(directory, "secret"),
  };
}

/** The configuration of a node as a plain object. */
export function nodeConfig(node: number, mode: LabMode, files: NodeFiles): Overrides {
  const inside = { name: CABLES.inside, mac: INSIDE.mac, addresses: INSIDE.cluster };
  const outside = { name: CABLES.outside, mac: OUTSIDE.mac, addresses: OUTSIDE.cluster };
  const { buckets, ...hash } = LAB_HASH;
  return {
    node,
    cluster: { name: "lab", secretFile: files.secret, buckets, hash },
    links: [{ interface: CABLES.sync, ...SYNC }],
    timing: LAB_TIMING,
    interfaces: mode === "host" ? [inside] : [inside, outside],
    dataplane: { backend: "nfqueue", queues: 1, firstQueue: 100, onExit: "drop" },
    api: { socket: files.socket },
  };
}

/** `changes` laid over `base`: sections are merged key by key, everything else is replaced. */
export function merged(base: Overrides, changes: Overrides): Overrides {
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(changes)) {
    const old = result[key];
    result[key] = isSection(old) && isSection(value) ? merged(old, value) : value;
  }
  return result;
}

function isSection(value: unknown): value is Overrides {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Writes a configuration where its node looks for it. */
export function writeConfig(files: NodeFiles, config: Overrides): void {
  mkdirSync(join(files.config, ".."), { recursive: true, mode: 0o700 });
  // The lists of addresses are shared constants: no YAML aliases for them, people read this file.
  writeFileSync(files.config, stringify(config, { aliasDuplicateObjects: false }), { mode: 0o600 });
}

export class NodeProcess {
  /** The last lines of its log, oldest first. */
  readonly log: string[] = [];
  /** Resolves when the process is gone. */
  readonly ended: Promise<Ending>;

  constructor(
    readonly id: number,
    readonly files: NodeFiles,
    private readonly child: ChildProcess,
  ) {
    this.ended = ending(child);
    child.stdout?.resume();
    if (child.stderr !== null) {
      createInterface({ input: child.stderr }).on("line", (line) => this.keep(line));
    }
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get running(): boolean {
    return isRunning(this.child);
  }

  /** Null while it runs, and when a signal ended it. */
  get exitCode(): number | null {
    return this.child.exitCode;
  }

  /** How it ended: its exit code or the signal, for messages. */
  get fate(): string {
    return this.child.signalCode ?? `exit code ${this.child.exitCode}`;
  }

  /** Sends a signal to this process and no other; a process that is gone gets none. */
  kill(signal: NodeJS.Signals): void {
    if (this.running) this.child.kill(signal);
  }

  /** @throws CliError while it does not answer */
  status(): Promise<StatusReport> {
    return ask<StatusReport>(this.files.socket, "GET", "/v1/status");
  }

  private keep(line: string): void {
    this.log.push(line);
    if (this.log.length > LOG_LINES_MAX) this.log.shift();
  }
}
