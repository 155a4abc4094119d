/**
 * Virtual time: what is due next, as a binary heap; of equal times, what was noted first. A run
 * notes millions of things, so times and orders lie in arrays of their own: no object for each.
 */
const ROOM = 1024;

export class Agenda {
  /** Milliseconds since the run began. */
  now = 0;
  /** Events carried out so far. */
  done = 0;
  private times = new Float64Array(ROOM);
  private orders = new Float64Array(ROOM);
  private readonly calls: (() => void)[] = [];
  private size = 0;
  private noted = 0;

  at(atMs: number, call: () => void): void {
    if (this.size === this.times.length) this.grow();
    this.noted += 1;
    const time = atMs > this.now ? atMs : this.now;
    this.rise(this.size, time, this.noted, call);
    this.size += 1;
  }

  in(ms: number, call: () => void): void {
    this.at(this.now + ms, call);
  }

  /** Carries out what is due until `endMs`, and leaves `now` there. */
  runUntil(endMs: number): void {
    while (this.size > 0 && this.times[0] <= endMs) {
      this.now = this.times[0];
      this.done += 1;
      this.take()();
    }
    this.now = endMs;
  }

  private take(): () => void {
    const first = this.calls[0];
    this.size -= 1;
    const last = this.calls.pop() as () => void;
    if (this.size > 0) this.sink(this.times[this.size], this.orders[this.size], last);
    return first;
  }

  /** Puts an item into `slot` or above it. It is the newest: of equal times it stays below. */
  private rise(slot: number, time: number, order: number, call: () => void): void {
    let free = slot;
    while (free > 0) {
      const parent = (free - 1) >> 1;
      if (this.times[parent] <= time) break;
      this.move(parent, free);
      free = parent;
    }
    this.put(free, time, order, call);
  }

  /** Puts an item at the top, or below what is due before it. */
  private sink(time: number, order: number, call: () => void): void {
    let free = 0;
    for (;;) {
      let child = 2 * free + 1;
      if (child >= this.size) break;
      const other = child + 1;
      if (other < this.size && this.isBefore(other, this.times[child], this.orders[child])) {
        child = other;
      }
      if (!this.isBefore(child, time, order)) break;
      this.move(child, free);
      free = child;
    }
    this.put(free, time, order, call);
  }

  private isBefore(slot: number, time: number, order: number): boolean {
    const own = this.times[slot];
    return own < time || (own === time && this.orders[slot] < order);
  }

  private move(from: number, to: number): void {
    this.put(to, this.times[from], this.orders[from], this.calls[from]);
  }

  private put(slot: number, time: number, order: number, call: () => void): void {
    this.times[slot] = time;
    this.orders[slot] = order;
    this.calls[slot] = call;
  }

  private grow(): void {
    const [times, orders] = [this.times, this.orders];
    this.times = new Float64Array(2 * times.length);
    this.orders = new Float64Array(2 * times.length);
    this.times.set(times);
    this.orders.set(orders);
  }
}
