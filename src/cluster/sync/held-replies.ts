/**
 * The replies that the packet side holds, as the sync thread sees them: questions in, each with its
 * flow as the kernel has it at this moment; tickets out.
 */
import { BroadcastChannel } from "node:worker_threads";
import { ConntrackLookup } from "../../kernel/conntrack/lookup.js";
import { newTuple, type Tuple } from "../../kernel/conntrack/record.js";
import { signalWake } from "../../platform/wake.js";
import { ASK, ASK_CHANNEL, RELEASE_CHANNEL } from "../../state/hold-channel.js";
import type { MarkField } from "../../state/mark-field.js";
import type { Held } from "../flows/hold.js";
import { flowOf } from "./convert.js";

export class HeldReplies {
  private readonly lookup = new ConntrackLookup();
  private readonly questions = new BroadcastChannel(ASK_CHANNEL);
  private readonly releases = new BroadcastChannel(RELEASE_CHANNEL);
  private readonly tuples: Tuple[] = [];

  /**
   * @param wakeFd eventfd of the thread that holds
   * @throws OpError, EPERM without CAP_NET_ADMIN
   */
  constructor(
    private readonly field: MarkField,
    private readonly wakeFd: number,
    onHeld: (held: readonly Held[]) => void,
  ) {
    this.questions.onmessage = (event) => {
      onHeld(this.find((event as { data: Int32Array }).data));
    };
  }

  release(tickets: readonly number[]): void {
    this.releases.postMessage(Int32Array.from(tickets));
    signalWake(this.wakeFd);
  }

  close(): void {
    this.lookup.close();
    this.questions.close();
    this.releases.close();
  }

  private find(rows: Int32Array): Held[] {
    const count = rows.length / ASK.WORDS;
    while (this.tuples.length < count) this.tuples.push(newTuple());
    for (let row = 0; row < count; row++) {
      readTuple(rows.subarray(row * ASK.WORDS, (row + 1) * ASK.WORDS), this.tuples[row] as Tuple);
    }
    const held: Held[] = [];
    this.lookup.find(this.tuples.slice(0, count), (index, flow) => {
      const ticket = rows[index * ASK.WORDS + ASK.TICKET] as number;
      held.push({ ticket, record: flow && flowOf(flow, this.field) });
    });
    return held;
  }
}

function readTuple(row: Int32Array, tuple: Tuple): void {
  tuple.family = row[ASK.FAMILY] as number;
  tuple.protocol = row[ASK.PROTOCOL] as number;
  tuple.srcPort = row[ASK.SRC_PORT] as number;
  tuple.dstPort = row[ASK.DST_PORT] as number;
  readAddress(row, ASK.SRC, tuple.src);
  readAddress(row, ASK.DST, tuple.dst);
}

function readAddress(row: Int32Array, at: number, address: Uint8Array): void {
  const view = new DataView(address.buffer, address.byteOffset);
  for (let word = 0; word < 4; word++) view.setInt32(4 * word, row[at + word] as number);
}
