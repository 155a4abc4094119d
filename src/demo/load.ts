/**
 * The traffic programs of a lab: a server, a client that loads it, a prober. Messages are their
 * JSON lines.
 */
import type { ChildProcess } from "node:child_process";
import type { Lab } from "./lab.js";
import type { ObservedPorts } from "./observer.js";
import { INSIDE, OUTSIDE, type Role } from "./topology.js";
import type { ClientReport, ClientSettings } from "./traffic/client.js";
import { readLines } from "./traffic/lines.js";
import type { ProbeAnswer, ProbeOrder } from "./traffic/probe.js";

/** The server's ports; 80 is what clients ask. */
export const PORTS: ObservedPorts = { service: 80, probe: 81 };

/**
 * What the lab's client does unless told otherwise. Rate and ports keep the observer's rule on
 * reuse.
 */
export const LOAD: ClientSettings = {
  pairs: [
    ...INSIDE.clients4.map((source) => [source, OUTSIDE.server4] as const),
    ...INSIDE.clients6.map((source) => [source, OUTSIDE.server6] as const),
  ],
  port: PORTS.service,
  rate: 400,
  concurrency: 256,
  timeoutMs: 3000,
};

/** A program that tells one message after the other. */
class Program<T extends { readonly type: string }> {
  last: T | null = null;
  private readonly child: ChildProcess;
  private readonly over: Promise<void>;
  private readonly stderr: string[] = [];
  private awaited: (() => void)[] = [];

  constructor(lab: Lab, role: Role, module: string, args: readonly string[]) {
    this.child = lab.spawnOwn(role, module, args);
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => this.stderr.push(text));
    const { stdout } = this.child;
    this.over =
      stdout === null ? Promise.resolve() : readLines<T>(stdout, (each) => this.heard(each));
    void this.over.then(() => this.wake());
  }

  /** Resolves with the next message of a type. @throws Error when the program ends without it */
  async message(type: T["type"]): Promise<T> {
    let over = false;
    void this.over.then(() => {
      over = true;
    });
    while (this.last?.type !== type) {
      if (over) throw new Error(`the lab's program ended: ${this.stderr.join("").trim()}`);
      await new Promise<void>((resolve) => this.awaited.push(resolve));
    }
    return this.last;
  }

  say(message: object): void {
    this.child.stdin?.write(`${JSON.stringify(message)}\n`);
  }

  hush(): void {
    this.child.stdin?.end();
  }

  private heard(message: T): void {
    this.last = message;
    this.wake();
  }

  private wake(): void {
    const woken = this.awaited;
    this.awaited = [];
    for (const each of woken) each();
  }
}

/** Starts the HTTP server and waits until it listens. */
export async function startServer(lab: Lab, role: Role = "server"): Promise<void> {
  const ports = [PORTS.service, PORTS.probe].map(String);
  const program = new Program<{ type: "ready" }>(lab, role, "demo/traffic/server.js", ports);
  await program.message("ready");
}

/** The loading client. */
export class Load {
  private readonly program: Program<ClientReport>;

  constructor(lab: Lab, changes: Partial<ClientSettings> = {}) {
    const settings = JSON.stringify({ ...LOAD, ...changes });
    this.program = new Program(lab, "client", "demo/traffic/client.js", [settings]);
  }

  /** What it told last; null for the first quarter of a second. */
  get report(): ClientReport | null {
    return this.program.last;
  }

  /** Starts no more connections and waits for those that are open. */
  async stop(): Promise<ClientReport> {
    this.program.hush();
    return this.program.message("end");
  }
}

/** The prober, ready before it is needed. */
export class Prober {
  private constructor(private readonly program: Program<ProbeAnswer | { type: "ready" }>) {}

  static async start(lab: Lab): Promise<Prober> {
    const prober = new Prober(new Program(lab, "client", "demo/traffic/probe.js", ["--serve"]));
    await prober.program.message("ready");
    return prober;
  }

  /** Carries out one order. A prober takes one in its life. */
  async find(order: ProbeOrder): Promise<ProbeAnswer> {
    this.program.say(order);
    const answer = (await this.program.message("answer")) as ProbeAnswer;
    this.program.hush();
    return answer;
  }
}
