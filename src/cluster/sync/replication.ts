/** The sync thread as the control thread sees it. */
import type { MessagePort } from "node:worker_threads";
import type { FlowInput, Want } from "../output.js";
import { type Bitmap, both, emptyBitmap, hasBucket } from "../ranges/bitmap.js";
import type { SyncReply, SyncRequest } from "./messages.js";

export class Replication {
  /** Of which the sync thread was last told; what it still says for another one is out of date. */
  private incarnation = 0n;
  private synced = false;
  /** By bucket, the owner whose flows are here. */
  private ready: Uint8Array;
  /** Time of the last `ask` that was answered. */
  private askedMs = Number.NEGATIVE_INFINITY;
  /** Buckets whose flows are in the kernel, of those that were wanted all the time since. */
  private usable: Bitmap;
  /** The last `want`. */
  private wanted: Bitmap;
  private ticket = 0;
  private last: Bitmap;

  /**
   * @param isCold whether replicas are put into the kernel only when they are wanted there
   * @param send called with each body that is to go to the peers
   * @param onStraight told whether every flow comes back with the bucket its packets hash to
   */
  constructor(
    private readonly port: MessagePort,
    private readonly buckets: number,
    send: (body: Uint8Array) => void,
    onStraight: (isStraight: boolean) => void,
    private readonly isCold = false,
  ) {
    this.ready = new Uint8Array(buckets);
    this.usable = emptyBitmap(buckets);
    this.wanted = emptyBitmap(buckets);
    this.last = emptyBitmap(buckets);
    port.on("message", (reply: SyncReply) => {
      if (reply.kind === "straight") onStraight(reply.isStraight);
      else if (reply.incarnation !== this.incarnation) return;
      else if (reply.kind === "send") send(reply.body);
      else if (reply.kind === "synced") this.synced = reply.isSynced;
      else if (reply.kind === "ready") this.ready = reply.owners;
      else if (reply.kind === "answer") this.askedMs = reply.atMs;
      else if (reply.ticket === this.ticket) this.usable = reply.buckets;
    });
  }

  /** Whether the flows of all peers are here. */
  readonly isSynced = (): boolean => this.synced;

  /** Whether the flows of a bucket are here as this owner has them. */
  readonly mayClaim = (bucket: number, owner: number): boolean => this.ready[bucket] === owner;

  /** Since when it cannot have changed without being heard of: the thread may stand still. */
  readonly answeredMs = (): number => this.askedMs;

  /** Whether those that are here are in the kernel; undefined: they always are. */
  get isUsable(): ((bucket: number) => boolean) | undefined {
    return this.isCold ? (bucket) => hasBucket(this.usable, bucket) : undefined;
  }

  tell(input: FlowInput): void {
    if (input.kind === "self") this.begin(input.self.incarnation);
    if (input.kind === "want") this.want(input);
    this.port.postMessage(input satisfies SyncRequest);
  }

  /** Tells what is leased now; null: nothing. Renewals without a change are not told. */
  leased(owned: Bitmap | null, epoch: number): void {
    const now = owned ?? emptyBitmap(this.buckets);
    if (now.every((word, index) => word === this.last[index])) return;
    this.last = now.slice();
    this.port.postMessage({ kind: "range", owned: this.last, epoch } satisfies SyncRequest);
  }

  end(): void {
    this.port.postMessage({ kind: "end" } satisfies SyncRequest);
    this.port.close();
  }

  /** A frame of the old stream would be taken for one of the new; nothing is in sync any more. */
  private begin(incarnation: bigint): void {
    this.incarnation = incarnation;
    this.synced = false;
    this.ready.fill(0);
    this.usable = emptyBitmap(this.buckets);
    this.askedMs = Number.NEGATIVE_INFINITY;
  }

  /** What was not wanted until now may be on its way out, whatever was said of it last. */
  private want({ claimed, planned, ticket }: Want): void {
    this.ticket = ticket;
    this.usable = both(this.usable, this.wanted);
    this.wanted = claimed.map((word, index) => word | planned[index]);
  }
}
