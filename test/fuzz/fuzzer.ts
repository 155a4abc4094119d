/**
 * The engine: takes an input of its corpus, mutates it, tries it, and keeps it where it showed a
 * behaviour that none had shown before. So it works its way into a parser without a map of it.
 *
 * Deterministic: target and seed give the same inputs in the same order.
 */
import { mutate } from "./mutate.js";
import { Random } from "./random.js";
import type { Target } from "./target.js";

/** Where there is state, one input in so many comes as it is: a repetition is an attack, too. */
const AS_IT_IS_EACH = 16;
/** Inputs of the corpus. At the bound a found one makes room, never a seed. */
const CORPUS_MAX = 4096;
const BEHAVIOURS = 65_536;

export interface Finding {
  readonly target: string;
  readonly seed: number;
  /** Number of the input, from 0. */
  readonly number: number;
  readonly message: string;
  /** The inputs since all state was made anew, as hex; the last one is the one. */
  readonly inputs: readonly string[];
}

export class Fuzzer {
  tried = 0;
  behaviours = 0;
  /** Bytes of the input that is tried now. */
  length = 0;
  private readonly random: Random;
  private readonly corpus: Uint8Array[];
  private readonly seedCount: number;
  private readonly seen = new Uint8Array(BEHAVIOURS);
  private history: Uint8Array[] = [];

  constructor(
    private readonly target: Target,
    readonly seed: number,
  ) {
    this.random = new Random(seed);
    const room = target.input.length;
    this.corpus = target.seeds().map((bytes) => Uint8Array.from(bytes.subarray(0, room)));
    this.seedCount = this.corpus.length;
  }

  get corpusSize(): number {
    return this.corpus.length;
  }

  /** Tries `count` more inputs; returns the finding that ended it early, or null. */
  async run(count: number): Promise<Finding | null> {
    for (const end = this.tried + count; this.tried < end; this.tried++) {
      this.prepare();
      try {
        const result = this.target.run(this.length);
        this.note(typeof result === "number" ? result : await result);
      } catch (error) {
        return this.finding(error);
      }
    }
    return null;
  }

  /** The next input, in place: of the seeds as they are first, then mutated. */
  private prepare(): void {
    const { target, tried, corpus, random } = this;
    if (tried % target.episode === 0) {
      target.reset();
      this.history = [];
    }
    const isSeed = tried < this.seedCount;
    const picked = corpus[isSeed ? tried : random.below(corpus.length)] as Uint8Array;
    target.input.set(picked);
    this.length = picked.length;
    const isMutated = target.episode === 1 || random.below(AS_IT_IS_EACH) !== 0;
    if (!isSeed && isMutated) {
      const other = corpus[random.below(corpus.length)] as Uint8Array;
      this.length = mutate(target.input, picked.length, other, random);
    }
    if (target.episode > 1) this.history.push(target.input.slice(0, this.length));
  }

  private note(behaviour: number): void {
    const slot = (behaviour ^ (behaviour >>> 16)) & (BEHAVIOURS - 1);
    if (this.seen[slot] === 1) return;
    this.seen[slot] = 1;
    this.behaviours += 1;
    const input = this.history.at(-1) ?? this.target.input.slice(0, this.length);
    if (this.corpus.length < CORPUS_MAX) this.corpus.push(input);
    else this.corpus[this.seedCount + this.random.below(CORPUS_MAX - this.seedCount)] = input;
  }

  private finding(error: unknown): Finding {
    const { target, seed, tried, length } = this;
    const inputs = this.history.length > 0 ? this.history : [target.input.slice(0, length)];
    return {
      target: target.name,
      seed,
      number: tried,
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
      inputs: inputs.map((bytes) => Buffer.from(bytes).toString("hex")),
    };
  }
}

/** Tries inputs of a finding again; throws what the last of them throws. */
export async function replay(target: Target, inputs: readonly string[]): Promise<void> {
  target.reset();
  for (const hex of inputs) {
    const bytes = Buffer.from(hex, "hex");
    target.input.set(bytes);
    await target.run(bytes.length);
  }
}
