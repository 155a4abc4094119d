/** What checkers can see of a run, and how they object. */
import type { FlowOutput } from "../../src/cluster/flows/output.js";
import type { FlowSync } from "../../src/cluster/flows/sync.js";
import type { Output } from "../../src/cluster/output.js";
import type { Packet } from "./connection.js";
import type { Machine, Process } from "./machine.js";
import type { Datagram } from "./network.js";

/** An invariant that does not hold. */
export class Violation extends Error {
  constructor(
    /** Names of the invariants, as in docs/RELIABILITY.md. */
    readonly invariant: string,
    message: string,
  ) {
    super(message);
  }
}

/** Hooks are called when something has happened; `onQuiet` says what still has to come about. */
export interface Checker {
  readonly invariant: string;
  onSync?(machine: Machine, flows: FlowSync): void;
  beforeDatagram?(process: Process, datagram: Datagram): void;
  afterDatagram?(process: Process, datagram: Datagram, outputs: readonly Output[]): void;
  onOutput?(machine: Machine, process: Process, output: Output): void;
  onFlowOutput?(machine: Machine, process: Process, output: FlowOutput): void;
  /** After each tick of control. */
  onTurn?(machine: Machine, process: Process): void;
  onDeath?(machine: Machine, process: Process, isMachine: boolean): void;
  onEnd?(machine: Machine, cause: "left" | "fatal"): void;
  /** What a machine may accept has changed, or may have. */
  onReach?(machine: Machine): void;
  onAccepted?(machine: Machine, process: Process, packet: Packet, bucket: number): void;
  /** A packet has passed all machines, and so many let it through at once. */
  onPassed?(packet: Packet, accepted: number): void;
  onSecond?(): void;
  /** What is not as it must be in quiet; empty when all is well. */
  onQuiet?(): string;
}

type Hooks = Omit<Required<Checker>, "invariant" | "onQuiet">;
type HookName = keyof Hooks;
type Hook = (...args: never[]) => void;

export class Watch implements Hooks {
  private readonly hooks: Record<HookName, Hook[]>;

  constructor(readonly checkers: readonly Checker[]) {
    const names: readonly HookName[] = [
      ...(["onSync", "beforeDatagram", "afterDatagram", "onOutput", "onFlowOutput"] as const),
      ...(["onTurn", "onDeath", "onEnd", "onReach", "onAccepted", "onPassed"] as const),
      "onSecond",
    ];
    const hooksOf = (name: HookName) =>
      checkers.flatMap((each) => {
        const hook = each[name] as Hook | undefined;
        return hook ? [hook.bind(each) as Hook] : [];
      });
    this.hooks = Object.fromEntries(
      names.map((name) => [name, hooksOf(name)]),
    ) as typeof this.hooks;
  }

  onSync(machine: Machine, flows: FlowSync): void {
    this.call("onSync", machine, flows);
  }
  beforeDatagram(process: Process, datagram: Datagram): void {
    this.call("beforeDatagram", process, datagram);
  }
  afterDatagram(process: Process, datagram: Datagram, outputs: readonly Output[]): void {
    this.call("afterDatagram", process, datagram, outputs);
  }
  onOutput(machine: Machine, process: Process, output: Output): void {
    this.call("onOutput", machine, process, output);
  }
  onFlowOutput(machine: Machine, process: Process, output: FlowOutput): void {
    this.call("onFlowOutput", machine, process, output);
  }
  onTurn(machine: Machine, process: Process): void {
    this.call("onTurn", machine, process);
  }
  onDeath(machine: Machine, process: Process, isMachine: boolean): void {
    this.call("onDeath", machine, process, isMachine);
  }
  onEnd(machine: Machine, cause: "left" | "fatal"): void {
    this.call("onEnd", machine, cause);
  }
  onReach(machine: Machine): void {
    this.call("onReach", machine);
  }
  onAccepted(machine: Machine, process: Process, packet: Packet, bucket: number): void {
    this.call("onAccepted", machine, process, packet, bucket);
  }
  onPassed(packet: Packet, accepted: number): void {
    this.call("onPassed", packet, accepted);
  }
  onSecond(): void {
    this.call("onSecond");
  }

  /** All that keeps the cluster from being settled, with the invariant that asks for it. */
  unsettled(): { readonly invariant: string; readonly what: string }[] {
    return this.checkers.flatMap((each) => {
      const what = each.onQuiet?.() ?? "";
      return what === "" ? [] : [{ invariant: each.invariant, what }];
    });
  }

  private call(name: HookName, ...args: unknown[]): void {
    for (const hook of this.hooks[name]) (hook as (...given: unknown[]) => void)(...args);
  }
}
