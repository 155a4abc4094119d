/** Virtual time: what is due next, as a binary heap; of equal times, what was noted first. */
interface Item {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

export class Agenda {
  /** Milliseconds since the run began. */
  now = 0;
  /** Events carried out so far. */
  done = 0;
  private readonly heap: Item[] = [];
  private orders = 0;

  at(atMs: number, run: () => void): void {
    this.orders += 1;
    const item = { atMs: Math.max(atMs, this.now), order: this.orders, run };
    const { heap } = this;
    let slot = heap.length;
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      if (!isBefore(item, heap[parent])) break;
      heap[slot] = heap[parent];
      slot = parent;
    }
    heap[slot] = item;
  }

  in(ms: number, run: () => void): void {
    this.at(this.now + ms, run);
  }

  /** Carries out what is due until `endMs`, and leaves `now` there. */
  runUntil(endMs: number): void {
    const { heap } = this;
    while (heap.length > 0 && heap[0].atMs <= endMs) {
      const { atMs, run } = this.take();
      this.now = atMs;
      this.done += 1;
      run();
    }
    this.now = endMs;
  }

  private take(): Item {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop() as Item;
    if (heap.length > 0) this.sink(last);
    return first;
  }

  private sink(item: Item): void {
    const { heap } = this;
    let slot = 0;
    for (;;) {
      let child = 2 * slot + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child += 1;
      if (!isBefore(heap[child], item)) break;
      heap[slot] = heap[child];
      slot = child;
    }
    heap[slot] = item;
  }
}

function isBefore(a: Item, b: Item): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
