/** Fills frames with ops up to the limit of a datagram, and publishes each that is full. */
import { DATA_HEADER_BYTES } from "../frame/data.js";
import { encodeOp, type Op, type PackedPut } from "./ops.js";

export class Packer {
  /** Frames published since the caller last set it to 0. */
  frames = 0;
  /** Whether somebody waits until peers have what is in the frame that is being filled. */
  isUrgent = false;
  private parts: Uint8Array[] = [];
  private bytes = 0;
  private readonly bytesMax: number;

  constructor(
    bodyBytesMax: number,
    private readonly publish: (payload: Uint8Array, isUrgent: boolean) => void,
    /** Number of the next frame that will be published. */
    private readonly nextFrame: () => number = () => 0,
  ) {
    this.bytesMax = bodyBytesMax - DATA_HEADER_BYTES;
  }

  /** Adds an op; returns the number of the frame that it will be in. */
  add(op: Op | PackedPut): number {
    const bytes = encodeOp(op);
    if (this.bytes + bytes.length > this.bytesMax) this.flush();
    this.parts.push(bytes);
    this.bytes += bytes.length;
    return this.nextFrame();
  }

  /** Publishes what there is. */
  flush(): void {
    if (this.bytes === 0) return;
    const payload = new Uint8Array(this.bytes);
    let at = 0;
    for (const part of this.parts) {
      payload.set(part, at);
      at += part.length;
    }
    const { isUrgent } = this;
    this.clear();
    this.frames += 1;
    this.publish(payload, isUrgent);
  }

  /** Throws away what was not published. */
  clear(): void {
    this.parts = [];
    this.bytes = 0;
    this.isUrgent = false;
  }
}
