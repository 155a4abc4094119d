/** What arrives of one transfer: how much, whether it is right, and the longest pause in it. */
import { createCipheriv, createHash } from "node:crypto";
import { performance } from "node:perf_hooks";

/** Bytes without a pattern that a lost or repeated segment could hide in; always the same ones. */
export function content(bytes) {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16));
  return cipher.update(Buffer.alloc(bytes));
}

export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

export class Arrivals {
  /** Bytes, or answers where these are counted. */
  count = 0;
  /** Milliseconds. */
  stallMs = 0;
  /** Resolves with the first arrival. */
  begun = new Promise((resolve) => {
    this.begin = resolve;
  });
  last = 0;

  /** Notes that so many have arrived now. */
  add(count) {
    const now = performance.now();
    if (this.count === 0) this.begin();
    else this.stallMs = Math.max(this.stallMs, now - this.last);
    this.last = now;
    this.count += count;
  }
}

/** A stream that carries `content(bytes)`. */
export class Stream extends Arrivals {
  hash = createHash("sha256");

  constructor(readable, bytes) {
    super();
    this.bytes = bytes;
    this.whole = new Promise((resolve) => {
      readable.on("data", (chunk) => {
        this.hash.update(chunk);
        this.add(chunk.length);
        if (this.count >= bytes) resolve();
      });
    });
  }

  /** "" or what is wrong with it. */
  fault() {
    if (this.count !== this.bytes) return `${this.count} of ${this.bytes} bytes`;
    return this.hash.digest("hex") === sha256(content(this.bytes)) ? "" : "other bytes";
  }
}

/** Milliseconds between two looks at a file. */
const LOOK_MS = 4;

/** A file that grows. @param sizeOf its size in bytes, also before it is there */
export class Growth extends Arrivals {
  constructor(sizeOf) {
    super();
    this.timer = setInterval(() => {
      const grown = sizeOf() - this.count;
      if (grown > 0) this.add(grown);
    }, LOOK_MS);
  }

  end() {
    clearInterval(this.timer);
  }
}
