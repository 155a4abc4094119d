/**
 * Who asked to follow our stream, and where we told them to begin.
 *
 * All who wait when a table begins get the same start, so a table is sent once however many nodes
 * join at the same time. A RESYNC that is repeated gets the same answer while that is still good.
 */
import { encodeStart } from "../frame/start.js";
import { NODES_MAX } from "../limits.js";
import type { Member } from "../membership/view.js";
import type { SendBuffer } from "./send-buffer.js";

interface Asker {
  readonly member: Member;
  readonly ticket: number;
}

export class Starts {
  private readonly waiting = new Map<number, Asker>();
  private readonly answered = new Map<number, Asker & { readonly base: number }>();

  /** Whether somebody waits for a table. */
  get isWanted(): boolean {
    return this.waiting.size > 0;
  }

  clear(): void {
    this.waiting.clear();
    this.answered.clear();
  }

  forget(node: number): void {
    this.waiting.delete(node);
  }

  /** Takes a RESYNC; returns a START to send at once, or null. */
  ask(member: Member, ticket: number, buffer: SendBuffer): Uint8Array | null {
    const known = this.answered.get(member.node);
    const isRepeated = known?.ticket === ticket && known.member.incarnation === member.incarnation;
    if (known && isRepeated && buffer.covers(known.base)) {
      return encodeStart(member, { ticket, sequence: known.base });
    }
    if (this.waiting.size < NODES_MAX) this.waiting.set(member.node, { member, ticket });
    return null;
  }

  /** Answers all who wait: they follow from `base` on. */
  answer(base: number): Uint8Array[] {
    const askers = [...this.waiting.values()];
    this.waiting.clear();
    return askers.map(({ member, ticket }) => {
      this.answered.set(member.node, { member, ticket, base });
      return encodeStart(member, { ticket, sequence: base });
    });
  }
}
