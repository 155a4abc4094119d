/**
 * The workload: clients that open connections through the cluster, talk, and close. Every packet
 * passes all machines, as on a shared link, and whoever lets it through forwards it.
 */
import { Connection, type Packet } from "./connection.js";
import { BRISK_MS } from "./faults.js";
import { type Ending, Handshake } from "./handshake.js";
import type { Machine, Scene } from "./machine.js";
import type { Workload } from "./plan.js";
import type { Random } from "./random.js";

/** Connections that are kept in mind; above: no new ones. */
const KEPT_MAX = 150;
/**
 * Connections that a flood opens in a second, most of them without an answer; fewer where the
 * failure time is longer than this, since floods last longer there.
 */
const FLOOD_PER_SECOND = 60;

export class Traffic {
  readonly counters = { opened: 0, failed: 0, closed: 0, packets: 0 };
  private kept = 0;
  private index = 0;
  private isOver = false;
  private floods = 0;
  private readonly floodPerSecond: number;

  constructor(
    private readonly scene: Scene,
    private readonly random: Random,
    private readonly workload: Workload,
    private readonly machines: readonly Machine[],
    private readonly connections: Map<string, Connection>,
    /** Those that are open now. */
    private readonly open: Set<Connection>,
  ) {
    this.floodPerSecond = FLOOD_PER_SECOND * Math.min(1, BRISK_MS / scene.sim.failureMs);
  }

  begin(): void {
    const gapMs = 1000 / (this.workload.opensPerSecond + this.floods * this.floodPerSecond);
    this.scene.agenda.in(this.random.around(gapMs), () => {
      if (this.isOver) return;
      this.connect();
      this.begin();
    });
  }

  /** No new connections, and those that are open fall silent. */
  end(): void {
    this.isOver = true;
  }

  flood(ms: number): void {
    this.floods += 1;
    this.scene.agenda.in(ms, () => {
      this.floods -= 1;
    });
  }

  private connect(): void {
    const { random, workload } = this;
    if (this.kept >= KEPT_MAX) return;
    this.index += 1;
    const bucket = random.below(this.scene.sim.buckets);
    const isUdp = random.chance(workload.udp);
    const connection = new Connection(this.index, bucket, isUdp, random.chance(workload.nat));
    this.connections.set(connection.key, connection);
    this.kept += 1;
    const isScan = this.floods > 0 && random.chance(0.9);
    const isUnanswered = isScan || random.chance(workload.unanswered);
    const { scene } = this;
    new Handshake({
      ...{ scene, random, connection, isUnanswered },
      send: (kind, isReply, onThrough) => this.send(connection, kind, isReply, onThrough),
      mayGoOn: () => !this.isOver,
      onEnd: (ending) => this.onOpened(connection, ending),
    });
  }

  private onOpened(connection: Connection, ending: Ending): void {
    if (ending === "failed") this.counters.failed += 1;
    if (ending !== "open") return this.close(connection);
    connection.phase = "open";
    this.open.add(connection);
    connection.openedMs = this.scene.agenda.now;
    this.counters.opened += 1;
    this.live(connection);
  }

  private live(connection: Connection): void {
    const { random, workload } = this;
    const { now } = this.scene.agenda;
    if (random.chance(workload.short)) return this.finishIn(connection, random.around(150));
    const lifeMs = random.around(workload.lifeMs);
    this.finishIn(connection, lifeMs);
    if (!connection.isUdp && random.chance(workload.idle)) return;
    this.talk(connection, now + lifeMs);
  }

  private talk(connection: Connection, untilMs: number): void {
    this.scene.agenda.in(this.random.around(this.workload.gapMs), () => {
      if (this.isOver || this.scene.agenda.now >= untilMs || connection.phase !== "open") return;
      this.send(connection, "data", false);
      this.send(connection, "data", true);
      this.talk(connection, untilMs);
    });
  }

  /** A TCP flow says that it ends; a UDP flow only falls silent. */
  private finishIn(connection: Connection, ms: number): void {
    this.scene.agenda.in(ms, () => {
      if (this.isOver) return;
      if (!connection.isUdp) {
        this.send(connection, "close", false);
        this.send(connection, "close", true);
      }
      this.close(connection);
    });
  }

  private close(connection: Connection): void {
    connection.phase = "closed";
    connection.closedMs = this.scene.agenda.now;
    this.open.delete(connection);
    this.kept -= 1;
    this.counters.closed += 1;
  }

  /** Whether somebody let the packet through. */
  private send(
    connection: Connection,
    kind: Packet["kind"],
    isReply: boolean,
    onThrough: () => void = () => {},
  ): boolean {
    const packet = { connection, kind, isReply, port: connection.port, onThrough };
    this.counters.packets += 1;
    let accepted = 0;
    for (const machine of this.machines) if (machine.pass(packet)) accepted += 1;
    this.scene.watch.onPassed(packet, accepted);
    for (let copy = 0; copy < accepted; copy++) onThrough();
    return accepted > 0;
  }
}
