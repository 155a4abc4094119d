/**
 * Threads of a process that can stand still, and the ports between them. What comes for a thread
 * that stands still waits, except ticks: a timer that is late fires once.
 */
import type { MessagePort } from "node:worker_threads";
import type { Agenda } from "./agenda.js";
import type { Random } from "./random.js";

export class Thread {
  private freezes = 0;
  private waiting: (() => void)[] = [];
  private hasMissedTick = false;

  constructor(
    private readonly random: Random,
    private readonly onTick: () => void = () => {},
  ) {}

  get isFrozen(): boolean {
    return this.freezes > 0;
  }

  get backlog(): number {
    return this.waiting.length;
  }

  run(call: () => void): void {
    if (this.isFrozen) this.waiting.push(call);
    else call();
  }

  tick(): void {
    if (this.isFrozen) this.hasMissedTick = true;
    else this.onTick();
  }

  freeze(): void {
    this.freezes += 1;
  }

  /** Goes on, and catches up in either order: timers and sockets race after a pause. */
  thaw(): void {
    this.freezes -= 1;
    if (this.isFrozen) return;
    const isTickFirst = this.random.chance(0.5);
    if (isTickFirst) this.catchTick();
    while (this.waiting.length > 0 && !this.isFrozen) (this.waiting.shift() as () => void)();
    this.catchTick();
  }

  private catchTick(): void {
    if (!this.hasMissedTick || this.isFrozen) return;
    this.hasMissedTick = false;
    this.onTick();
  }
}

type Listener = (message: unknown) => void;

/** One end of a message channel: as much of a MessagePort as the program's threads use. */
class End {
  private listener: Listener = () => {};
  private inbox: unknown[] = [];
  private isClosed = false;
  other: End | null = null;

  constructor(
    private readonly agenda: Agenda,
    private readonly delayMs: () => number,
    private readonly thread: Thread,
  ) {}

  on(_event: "message", listener: Listener): void {
    this.listener = listener;
  }

  postMessage(message: unknown): void {
    this.other?.take(message);
  }

  close(): void {
    this.isClosed = true;
  }

  /** Messages that follow each other at once arrive together, after the sender's turn. */
  private take(message: unknown): void {
    this.inbox.push(message);
    if (this.inbox.length === 1) this.agenda.in(this.delayMs(), this.hand);
  }

  private readonly hand = (): void => {
    const messages = this.inbox;
    this.inbox = [];
    if (this.thread.isFrozen) this.thread.run(() => this.give(messages));
    else this.give(messages);
  };

  private give(messages: readonly unknown[]): void {
    for (const each of messages) if (!this.isClosed) this.listener(each);
  }
}

/** A thread, and how many milliseconds what is told to it takes. */
interface Place {
  readonly thread: Thread;
  delayMs(): number;
}

/** A channel between two threads; the first port belongs to `a`. */
export function channel(agenda: Agenda, a: Place, b: Place): [MessagePort, MessagePort] {
  const ends = [
    new End(agenda, a.delayMs, a.thread),
    new End(agenda, b.delayMs, b.thread),
  ] as const;
  ends[0].other = ends[1];
  ends[1].other = ends[0];
  return ends as unknown as [MessagePort, MessagePort];
}
