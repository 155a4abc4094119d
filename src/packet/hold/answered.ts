/**
 * Flows that were asked about a moment ago, so that a stream of UDP replies, which the kernel calls
 * assured only after seconds, costs one question. Direct-mapped: a flow that shares its place with
 * another is asked about again. TCP is left out: its port may come again as another connection, and
 * its first reply is one packet.
 */
import { HOLD_ANSWERED_FLOWS, HOLD_ANSWERED_MS } from "../../config/limits.js";
import { ASK } from "../../state/hold-channel.js";
import { jhashWords } from "../flow/jhash.js";

const TCP = 6;
/** The second hash of a row differs from the first. */
const OTHER = 0x5bd1e995;

export class Answered {
  /** Hashes of the row that {@link has} was asked about last. */
  place = 0;
  print = 0;
  private readonly prints = new Int32Array(HOLD_ANSWERED_FLOWS);
  private readonly untilMs = new Float64Array(HOLD_ANSWERED_FLOWS);
  private readonly words = new Int32Array(ASK.WORDS);

  /** @param seed secret, or a sender could fill the table on purpose */
  constructor(private readonly seed: number) {}

  /** Whether the flow of the row that starts at `at` was answered lately. */
  has(rows: Int32Array, at: number, nowMs: number): boolean {
    this.words.set(rows.subarray(at, at + ASK.WORDS));
    this.words[ASK.TICKET] = 0;
    this.place = jhashWords(this.words, ASK.WORDS, this.seed) & (HOLD_ANSWERED_FLOWS - 1);
    this.print = jhashWords(this.words, ASK.WORDS, this.seed ^ OTHER) | 0;
    if (rows[at + ASK.PROTOCOL] === TCP) this.place = -1;
    return this.place >= 0 && this.prints[this.place] === this.print && this.isFresh(nowMs);
  }

  /** Notes an answer for the flow of these hashes; a place of -1 is that of none. */
  note(place: number, print: number, nowMs: number): void {
    if (place < 0) return;
    this.prints[place] = print;
    this.untilMs[place] = nowMs + HOLD_ANSWERED_MS;
  }

  private isFresh(nowMs: number): boolean {
    return nowMs < (this.untilMs[this.place] as number);
  }
}
