/** A fingerprint of everything that nodes did and when: equal runs have equal fingerprints. */
import type { FlowOutput } from "../../src/cluster/flows/output.js";
import type { Output } from "../../src/cluster/output.js";
import type { Agenda } from "./agenda.js";
import type { Machine, Process } from "./machine.js";
import type { Checker } from "./watch.js";

const FNV_PRIME = 0x01000193;
/** Of a datagram, length and so many of its last bytes (the tag depends on all of them). */
const TAIL = 4;

export class EventHash implements Checker {
  readonly invariant = "replay";
  agenda: Agenda | null = null;
  private low = 0x811c9dc5;
  private high = 0x2545f491;

  get text(): string {
    const hex = (word: number) => (word >>> 0).toString(16).padStart(8, "0");
    return hex(this.high) + hex(this.low);
  }

  onOutput(machine: Machine, _process: Process, output: Output): void {
    this.add(machine.id);
    this.add(output.kind.length);
    this.add(Math.round((this.agenda?.now ?? 0) * 1000));
    if (output.kind === "send") {
      const { bytes } = output;
      this.add(bytes.length);
      for (let at = bytes.length - TAIL; at < bytes.length; at++) this.add(bytes[at]);
    } else if (output.kind === "lease") {
      for (const word of output.owned) this.add(word);
    }
  }

  onFlowOutput(machine: Machine, _process: Process, output: FlowOutput): void {
    this.add(machine.id + 256);
    this.add(output.kind.length);
    if (output.kind === "kernel") this.add(output.op.length * 7 + output.record.original.srcPort);
  }

  private add(value: number): void {
    this.low = Math.imul(this.low ^ value, FNV_PRIME);
    this.high = Math.imul(this.high ^ (this.low >>> 7), FNV_PRIME);
  }
}
