/** R5, P5: which messages are taken, and which claims are obeyed. */
import { readHeartbeat } from "../../../src/cluster/frame/heartbeat.js";
import { KIND } from "../../../src/cluster/frame/kind.js";
import type { Output } from "../../../src/cluster/output.js";
import type { Machine, Process } from "../machine.js";
import type { Datagram } from "../network.js";
import { partsOf } from "../peek.js";
import { type Checker, Violation } from "../watch.js";

/** The heartbeat that is being taken; read only if it is obeyed. */
interface Beat {
  readonly node: number;
  readonly body: Uint8Array;
}

/**
 * P5: each datagram is taken or refused for one reason; damaged, forged and repeated ones are
 * refused. R5: the epoch of an incarnation never goes back, and no claim of an older epoch or of
 * another view is obeyed.
 */
export class Messages implements Checker {
  readonly invariant = "R5, P5";
  taken = 0;
  refused = 0;
  private readonly seen = new WeakMap<Process, Seen>();
  /** What was refused until the last datagram; nothing else is refused. */
  private readonly refusals = new WeakMap<Process, number>();
  private readonly epochs = new WeakMap<Process, { incarnation: bigint; epoch: number }>();
  private datagram: Datagram | null = null;
  private opened = 0;
  private beat: Beat | null = null;

  beforeDatagram(process: Process, datagram: Datagram): void {
    if (!this.seen.has(process)) this.listen(process);
    this.datagram = datagram;
    this.opened = 0;
    this.beat = null;
  }

  afterDatagram(process: Process, datagram: Datagram): void {
    const total = sum(process);
    const refused = total - (this.refusals.get(process) ?? 0);
    this.refusals.set(process, total);
    this.datagram = null;
    this.taken += this.opened;
    this.refused += refused;
    if (partsOf(process.control.node).halt !== "" && this.opened === 0 && refused === 0) return;
    const isOnce = this.opened === 1 ? refused <= 1 : refused === 1;
    if (isOnce) return;
    const counts = `taken ${this.opened} times, refused ${refused} times`;
    throw new Violation("P5", `datagram ${datagram.number} was ${counts}`);
  }

  onOutput(machine: Machine, process: Process, output: Output): void {
    if (output.kind !== "event" || output.event.name !== "release") return;
    if (output.event.cause !== "handover" || !this.beat) return;
    const { view } = partsOf(process.control.node).standing;
    const { node } = this.beat;
    const claim = readHeartbeat(this.beat.body);
    if (claim.epoch >= view.epoch && claim.viewHash === view.hash) return;
    const epochs = `epoch ${claim.epoch}, own ${view.epoch}`;
    const what = claim.epoch < view.epoch ? epochs : "another view";
    throw new Violation("R5", `node ${machine.id} obeys a claim of node ${node}: ${what}`);
  }

  onTurn(machine: Machine, process: Process): void {
    const { view, self } = partsOf(process.control.node).standing;
    const { incarnation } = self.identity;
    const before = this.epochs.get(process);
    if (before?.incarnation === incarnation && view.epoch < before.epoch) {
      throw new Violation("R5", `node ${machine.id}: epoch ${view.epoch} after ${before.epoch}`);
    }
    if (before) Object.assign(before, { incarnation, epoch: view.epoch });
    else this.epochs.set(process, { incarnation, epoch: view.epoch });
  }

  private listen(process: Process): void {
    const seen = new Seen();
    this.seen.set(process, seen);
    const parts = partsOf(process.control.node);
    const take = parts.onMessage.bind(parts);
    parts.onMessage = (from, body, arrival) => {
      this.judge(seen);
      if (body[0] === KIND.heartbeat) this.beat = { node: from.node, body };
      take(from, body, arrival);
    };
  }

  private judge(seen: Seen): void {
    this.opened += 1;
    if (!this.datagram) return;
    const { fate, number } = this.datagram;
    if (fate === "damaged" || fate === "forged") {
      throw new Violation("P5", `datagram ${number} is ${fate}, and was taken`);
    }
    if (!seen.add(number)) throw new Violation("P5", `datagram ${number} was taken twice`);
  }
}

/** Numbers of datagrams, as bits. */
class Seen {
  private words = new Uint32Array(64);

  /** False when it is there already. */
  add(number: number): boolean {
    const word = number >>> 5;
    if (word >= this.words.length) this.grow(word);
    const bit = 1 << (number & 31);
    if ((this.words[word] & bit) !== 0) return false;
    this.words[word] |= bit;
    return true;
  }

  private grow(word: number): void {
    const words = new Uint32Array(2 * word);
    words.set(this.words);
    this.words = words;
  }
}

function sum({ control }: Process): number {
  let total = 0;
  for (const name in control.node.refused) {
    total += control.node.refused[name as keyof typeof control.node.refused];
  }
  return total;
}
