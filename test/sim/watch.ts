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
type Having<Name extends keyof Hooks> = Checker & Pick<Required<Checker>, Name>;

/** Hands each hook to the checkers that have it. */
export class Watch implements Hooks {
  private readonly of: { readonly [Name in keyof Hooks]: readonly Having<Name>[] };

  constructor(readonly checkers: readonly Checker[]) {
    const having = <Name extends keyof Hooks>(name: Name) =>
      checkers.filter((each): each is Having<Name> => each[name] !== undefined);
    this.of = {
      onSync: having("onSync"),
      beforeDatagram: having("beforeDatagram"),
      afterDatagram: having("afterDatagram"),
      onOutput: having("onOutput"),
      onFlowOutput: having("onFlowOutput"),
      onTurn: having("onTurn"),
      onDeath: having("onDeath"),
      onEnd: having("onEnd"),
      onReach: having("onReach"),
      onAccepted: having("onAccepted"),
      onPassed: having("onPassed"),
      onSecond: having("onSecond"),
    };
  }

  onSync(machine: Machine, flows: FlowSync): void {
    for (const each of this.of.onSync) each.onSync(machine, flows);
  }
  beforeDatagram(process: Process, datagram: Datagram): void {
    for (const each of this.of.beforeDatagram) each.beforeDatagram(process, datagram);
  }
  afterDatagram(process: Process, datagram: Datagram, outputs: readonly Output[]): void {
    for (const each of this.of.afterDatagram) each.afterDatagram(process, datagram, outputs);
  }
  onOutput(machine: Machine, process: Process, output: Output): void {
    for (const each of this.of.onOutput) each.onOutput(machine, process, output);
  }
  onFlowOutput(machine: Machine, process: Process, output: FlowOutput): void {
    for (const each of this.of.onFlowOutput) each.onFlowOutput(machine, process, output);
  }
  onTurn(machine: Machine, process: Process): void {
    for (const each of this.of.onTurn) each.onTurn(machine, process);
  }
  onDeath(machine: Machine, process: Process, isMachine: boolean): void {
    for (const each of this.of.onDeath) each.onDeath(machine, process, isMachine);
  }
  onEnd(machine: Machine, cause: "left" | "fatal"): void {
    for (const each of this.of.onEnd) each.onEnd(machine, cause);
  }
  onReach(machine: Machine): void {
    for (const each of this.of.onReach) each.onReach(machine);
  }
  onAccepted(machine: Machine, process: Process, packet: Packet, bucket: number): void {
    for (const each of this.of.onAccepted) each.onAccepted(machine, process, packet, bucket);
  }
  onPassed(packet: Packet, accepted: number): void {
    for (const each of this.of.onPassed) each.onPassed(packet, accepted);
  }
  onSecond(): void {
    for (const each of this.of.onSecond) each.onSecond();
  }

  /** All that keeps the cluster from being settled, with the invariant that asks for it. */
  unsettled(): { readonly invariant: string; readonly what: string }[] {
    return this.checkers.flatMap((each) => {
      const what = each.onQuiet?.() ?? "";
      return what === "" ? [] : [{ invariant: each.invariant, what }];
    });
  }
}
