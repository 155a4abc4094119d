/** A machine with its kernel, its clock, and the node's process while one runs. */
import { keyOf } from "../../src/cluster/flows/record-wire.js";
import type { Bitmap } from "../../src/cluster/ranges/bitmap.js";
import { NO_BUCKET } from "../../src/packet/decide/decide.js";
import type { Agenda } from "./agenda.js";
import type { Connection, Packet, Translation } from "./connection.js";
import { Kernel } from "./kernel.js";
import type { Datagram, Links } from "./network.js";
import type { SimSettings } from "./plan.js";
import { Process } from "./process.js";
import type { Random } from "./random.js";
import type { Watch } from "./watch.js";

export { Process } from "./process.js";

/** What all machines share. */
export interface Scene {
  readonly agenda: Agenda;
  readonly random: Random;
  readonly sim: SimSettings;
  readonly nodes: number;
  readonly links: Links;
  readonly watch: Watch;
  readonly slices: Translation;
  readonly connections: ReadonlyMap<string, Connection>;
}

/** Datagrams that wait in the sockets of a node at most. */
export const SOCKET_MAX = 512;
/** Milliseconds until a supervisor starts a process again that has ended with an error. */
const RESTART_MS = 1000;

export class Machine {
  readonly kernel: Kernel;
  process: Process | null = null;
  isUp = true;
  /** The machine sleeps with its memory; only its clock goes on. */
  isAsleep = false;
  /** Datagrams it takes between two ticks. */
  most = SOCKET_MAX;
  lateMs = 0;
  private asleepMs = 0;
  private mustStart = false;
  private readonly bootMs: number;
  private reachEndsMs = 0;
  private isEndNoted = false;

  constructor(
    readonly scene: Scene,
    readonly id: number,
    /** Milliseconds of its clock in a true one. */
    readonly rate: number,
    /** A second machine with the id of another. */
    readonly isTwin = false,
  ) {
    const { agenda, sim, connections, random } = scene;
    this.bootMs = random.between(0, 1e6);
    this.kernel = new Kernel(agenda, sim.buckets, sim.eventsMax, (record) =>
      connections.get(keyOf(record)),
    );
  }

  /** CLOCK_BOOTTIME of this machine. */
  get localMs(): number {
    return this.bootMs + this.scene.agenda.now * this.rate;
  }

  /** Whether its replicas are put into its kernel only with their bucket. */
  get isCold(): boolean {
    return this.id <= (this.scene.sim.cold ?? 0);
  }

  get isServing(): boolean {
    const { process } = this;
    return process !== null && !this.isAsleep && !process.threads.worker.isFrozen;
  }

  /** Whether packets of any bucket could be accepted now, and of which ones. */
  get accepting(): Bitmap | null {
    const { process } = this;
    if (!process || !this.isServing || process.control.untilMs <= this.localMs) return null;
    return process.control.owned;
  }

  /** Starts a process, unless one runs; what is asleep starts it when it wakes. */
  start(): void {
    this.mustStart = this.isAsleep;
    if (this.process || this.isAsleep) return;
    this.isUp = true;
    this.process = new Process(this);
    this.process.begin();
  }

  /** Ends the process without a word; the kernel goes on, unless the machine itself is gone. */
  kill(isMachine: boolean): void {
    if (this.process) {
      this.scene.watch.onDeath(this, this.process, isMachine);
      this.process.isRunning = false;
    }
    this.process = null;
    this.kernel.silence();
    if (isMachine) {
      this.isUp = false;
      this.kernel.reset();
    }
    this.reachChanged();
  }

  /** A process has said its last word, and ends with its turn. */
  endSoon(process: Process, cause: "left" | "fatal"): void {
    this.scene.agenda.in(0, () => {
      if (this.process !== process) return;
      this.scene.watch.onEnd(this, cause);
      this.kill(false);
      process.onEnd();
      if (cause === "fatal" && !this.isTwin) this.scene.agenda.in(RESTART_MS, () => this.start());
    });
  }

  sleep(): void {
    this.isAsleep = true;
    this.asleepMs = this.scene.agenda.now;
    this.reachChanged();
  }

  wake(): void {
    this.isAsleep = false;
    this.kernel.sleep(this.scene.agenda.now - this.asleepMs);
    this.reachChanged();
    if (this.mustStart) this.start();
  }

  receive(datagram: Datagram): void {
    const { process } = this;
    if (process && !this.isAsleep) process.receive(datagram);
  }

  /** A packet of the cluster passes; whether this machine lets it through at once. */
  pass(packet: Packet): boolean {
    if (!this.isUp || this.isAsleep) return false;
    const { kernel, process } = this;
    const entry = kernel.track(packet);
    let known = NO_BUCKET;
    if (entry) {
      known = entry.record.bucket;
      if (!kernel.leases(known)) return false;
    } else if (packet.kind !== "open" && !packet.connection.isUdp) {
      return false; // INVALID: a connection whose beginning the kernel has not seen
    }
    if (!process) return false; // nobody reads the queue
    const waitMs = entry ? 0 : this.scene.random.between(0, this.scene.sim.queueMs);
    if (waitMs === 0 && !process.threads.worker.isFrozen) return this.judge(process, packet, known);
    this.enqueue(process, packet, known, waitMs);
    return false;
  }

  /** What this node may accept has changed, or may have. */
  reachChanged(): void {
    this.scene.watch.onReach(this);
    const { process } = this;
    if (!process || process.control.untilMs === Number.NEGATIVE_INFINITY) return;
    const leftMs = (process.control.untilMs - this.localMs) / this.rate;
    this.reachEndsMs = this.scene.agenda.now + Math.max(0, leftMs);
    if (!this.isEndNoted && leftMs > 0) this.noteEnd();
  }

  private noteEnd(): void {
    this.isEndNoted = true;
    this.scene.agenda.at(this.reachEndsMs + 0.001, () => {
      this.isEndNoted = false;
      if (this.scene.agenda.now < this.reachEndsMs) this.noteEnd();
      else this.scene.watch.onReach(this);
    });
  }

  /** A packet waits its turn in the queue, and longer where the worker stands still. */
  private enqueue(process: Process, packet: Packet, known: number, waitMs: number): void {
    const { agenda, sim } = this.scene;
    const { worker, threads } = process;
    if (worker.queued >= sim.queueMax) return;
    worker.queued += 1;
    const judge = () => {
      worker.queued -= 1;
      if (process.isRunning && this.judge(process, packet, known)) packet.onThrough();
    };
    agenda.in(waitMs, () => threads.worker.run(judge));
  }

  private judge(process: Process, packet: Packet, known: number): boolean {
    const { connection, isReply } = packet;
    const { slices, watch, random } = this.scene;
    const isSliced = isReply && connection.isTranslated;
    const hashed = isSliced ? slices.bucketOf(packet.port) : connection.bucket;
    const bucket = process.worker.judge(packet, known, hashed, this.localMs);
    if (bucket === NO_BUCKET || !this.kernel.leases(bucket)) return false;
    watch.onAccepted(this, process, packet, bucket);
    const entry = this.kernel.entries.get(connection.key);
    // The flow has come into the table meanwhile: only UDP takes it as it is there.
    if (entry && known === NO_BUCKET && !connection.isUdp) return false;
    // The server answers to where the last opening packet seemed to come from.
    if (entry && packet.kind === "open") connection.port = entry.record.reply.dstPort;
    if (known !== NO_BUCKET || entry) return true;
    if (isReply) return false; // to the gateway itself: it opens nothing
    let port = 0;
    if (connection.isTranslated) {
      port = slices.choose(
        bucket,
        () => random.next(),
        (each) => this.kernel.isFree(each),
      );
      if (port === 0) return false;
      connection.isTwofold ||= connection.port !== 0;
      connection.port = port;
    }
    this.kernel.confirm(packet, port);
    return true;
  }
}
