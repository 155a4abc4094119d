/**
 * Fuzzing in threads, watched: one that makes no progress is ended, and the input that it hangs on
 * is read from the memory it shares.
 */
import { Worker } from "node:worker_threads";
import type { Finding } from "./fuzzer.js";

/** Milliseconds for a round of inputs, far beyond what a busy machine costs. Longer: it hangs. */
export const HANG_MS = 20_000;
const LOOK_MS = 250;
const TRIED = 0;
const STOP = 1;

export interface FuzzThreadData {
  readonly target: string;
  /** uint32 */
  readonly seed: number;
  readonly count: number;
  /** 0: inputs tried, modulo 2^31. 1: not 0 when the thread is to stop. */
  readonly progress: Int32Array;
}

export type FuzzThreadMessage =
  | { readonly kind: "ready"; readonly input: Uint8Array }
  | {
      readonly kind: "end";
      readonly tried: number;
      readonly behaviours: number;
      readonly corpusSize: number;
      readonly finding: Finding | null;
    };

export interface FuzzResult {
  readonly tried: number;
  readonly behaviours: number;
  readonly corpusSize: number;
  readonly finding: Finding | null;
}

export class FuzzThread {
  /** It has begun. */
  readonly ready: Promise<void>;
  /** What came of it; never rejects. */
  readonly result: Promise<FuzzResult>;
  private readonly progress = new Int32Array(new SharedArrayBuffer(8));
  private readonly worker: Worker;
  private onReady: () => void = () => {};
  private timer: NodeJS.Timeout | undefined;
  private input: Uint8Array | null = null;
  private seenTried = 0;
  private movedMs = Date.now();

  /** @param script thread.js, or in tests one of its kind */
  constructor(
    script: URL,
    private readonly settings: Omit<FuzzThreadData, "progress">,
    private readonly hangMs = HANG_MS,
  ) {
    const data: FuzzThreadData = { ...settings, progress: this.progress };
    this.worker = new Worker(script, { workerData: data });
    this.ready = new Promise((resolve) => {
      this.onReady = resolve;
    });
    const ended = new Promise<FuzzResult>((resolve) => {
      this.worker.on("message", (message: FuzzThreadMessage) => {
        if (message.kind === "end") return resolve(message);
        this.input = message.input;
        this.onReady();
      });
      this.worker.on("error", (error) => resolve(this.failed(String(error))));
      this.worker.on("exit", (code) => resolve(this.failed(`the thread ended with ${code}`)));
      this.timer = setInterval(() => {
        if (this.isStuck()) resolve(this.failed(`no progress for ${this.hangMs} ms`));
      }, LOOK_MS);
    });
    this.result = ended.finally(async () => {
      clearInterval(this.timer);
      await this.worker.terminate();
    });
  }

  /** Inputs tried so far. */
  get tried(): number {
    return Atomics.load(this.progress, TRIED);
  }

  /** Asks it to end after the round it is in. */
  stop(): void {
    Atomics.store(this.progress, STOP, 1);
  }

  private isStuck(): boolean {
    const { tried } = this;
    if (tried !== this.seenTried) {
      this.seenTried = tried;
      this.movedMs = Date.now();
    }
    return Date.now() - this.movedMs > this.hangMs;
  }

  /** The thread cannot say what it was at: its input is as it left it. */
  private failed(message: string): FuzzResult {
    const { target, seed } = this.settings;
    const bytes = this.input === null ? [] : [Buffer.from(this.input).toString("hex")];
    const finding: Finding = { target, seed, number: this.tried, message, inputs: bytes };
    return { tried: this.tried, behaviours: 0, corpusSize: 0, finding };
  }
}
