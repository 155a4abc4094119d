/**
 * A node of the cluster as a reducer: datagrams and ticks in, outputs out, no clock, no sockets.
 *
 * The way of a message is read downward: transport/ opens it, frame/ reads it, membership/ decides
 * whether its sender is alive, ranges/ what follows for the buckets. This file only joins them.
 * Times are milliseconds of CLOCK_BOOTTIME. Tick when {@link ClusterNode.nextDue} says.
 */
import { Beats } from "./beats.js";
import { type Heartbeat, isHeartbeat, readHeartbeat } from "./frame/heartbeat.js";
import { isFlowKind, KIND } from "./frame/kind.js";
import { isLeave, leaveTick } from "./frame/leave.js";
import { LEAVE_REPEATS, TICK_MS } from "./limits.js";
import { type Arrival, echoes, type Peer } from "./membership/peers.js";
import type { Member } from "./membership/view.js";
import { Outbox } from "./outbox.js";
import type { Output, ReleaseCause } from "./output.js";
import { newRefusalCounters } from "./refusal.js";
import type { ClusterInputs, ClusterSettings } from "./settings.js";
import { type Snapshot, snapshotOf } from "./snapshot.js";
import { Standing } from "./standing.js";
import { Transport } from "./transport/transport.js";

type Halt = "" | "stalled" | "leaving" | "left" | "fatal";

export class ClusterNode {
  readonly refused = newRefusalCounters();
  private readonly transport: Transport;
  private readonly out: Outbox;
  private readonly standing: Standing;
  private readonly beats: Beats;
  private halt: Halt = "";
  private leavesLeft = LEAVE_REPEATS;
  private readonly twinsTold = new Set<bigint>();

  constructor(
    private readonly settings: ClusterSettings,
    inputs: ClusterInputs,
    now: number,
  ) {
    this.transport = new Transport(settings, this.refused, inputs.sealing);
    this.out = new Outbox(this.transport, settings.links);
    this.standing = new Standing(settings, inputs, this.out, now);
    this.beats = new Beats(settings, this.standing, this.out);
    this.restart(now);
  }

  /** Hands a datagram in. `address` is where it came from, for `status` only. */
  onDatagram(now: number, link: number, bytes: Uint8Array, address = ""): Output[] {
    if (this.halt !== "") return [];
    this.checkLapse(now);
    const opened = this.transport.open(bytes, now);
    if (opened) {
      const from = { node: opened.header.sender, incarnation: opened.header.incarnation };
      this.onMessage(from, opened.body, { link, address, now });
    }
    return this.flush();
  }

  onTick(now: number): Output[] {
    if (this.halt === "leaving") this.sendLeave();
    if (this.halt !== "") return this.flush();
    this.checkLapse(now);
    this.standing.judgeSilence(now);
    this.standing.advance(now);
    this.beats.onTick(now);
    return this.flush();
  }

  /**
   * When the next tick is due, unless an input makes it earlier: ask again after each. At most a
   * heartbeat from now.
   */
  nextDue(now: number): number {
    if (this.halt !== "" || this.standing.isUnderWay) return now + TICK_MS;
    return Math.min(this.beats.dueMs, this.standing.nextLook(now));
  }

  /** Hands the range over; `drained` is said when nothing is left. `join` takes it back. */
  drain(): void {
    this.standing.self.isDrainWanted = true;
    this.standing.owesDrained = true;
  }

  join(): void {
    this.standing.self.isDrainWanted = false;
  }

  /** Reasons why this node should not serve (carrier, address, probe); none: it is fit. */
  setFit(reasons: readonly string[]): void {
    this.standing.self.unfit = [...reasons];
  }

  /** Whether a probed gateway answers; asked only under `isolation: probe`. */
  setProbeOk(probeOk: boolean): void {
    this.standing.self.probeOk = probeOk;
  }

  /** Stops at once, silently, while packets cannot be decided; begins anew when they can. */
  setStalled(isStalled: boolean, now: number): Output[] {
    if (isStalled && this.halt === "") {
      this.stop("stall", "stalled");
    } else if (!isStalled && this.halt === "stalled") {
      this.halt = "";
      this.restart(now);
    }
    return this.flush();
  }

  /** Gives everything up and tells the peers; `left` follows within `LEAVE_REPEATS` ticks. */
  leave(): Output[] {
    if (this.halt === "" || this.halt === "stalled") {
      this.stop("leave", "leaving");
      this.sendLeave();
    }
    return this.flush();
  }

  /** Sends a body of the flow layers. @throws RangeError when it is longer than a datagram holds */
  sendBody(body: Uint8Array): Output[] {
    if (this.halt === "") this.beats.sendBody(body);
    return this.flush();
  }

  get epoch(): number {
    return this.standing.view.epoch;
  }

  snapshot(now: number): Snapshot {
    const reasons = this.halt === "" ? this.standing.reasons() : [this.halt];
    return snapshotOf(this.standing, this.refused, reasons, now);
  }

  private onMessage(from: Member, body: Uint8Array, arrival: Arrival): void {
    switch (body[0]) {
      case KIND.heartbeat:
        if (!isHeartbeat(body)) this.refused.malformed += 1;
        else if (from.node === this.settings.id)
          this.onTwin(from, readHeartbeat(body), arrival.now);
        else this.onHeartbeat(from, readHeartbeat(body), arrival);
        return;
      case KIND.leave:
        if (!isLeave(body)) this.refused.malformed += 1;
        else this.onLeave(from, leaveTick(body), arrival.now);
        return;
      default:
        if (!isFlowKind(body[0])) this.refused.unknownKind += 1;
        else if (!this.standing.lift(from, body)) this.refused.unconfirmed += 1;
    }
  }

  private onHeartbeat(from: Member, beat: Heartbeat, arrival: Arrival): void {
    const { peers, self } = this.standing;
    const isNew = !peers.find(from);
    const hearing = peers.hear(from, beat, self.identity, arrival);
    if (hearing === "repeated") return;
    if (hearing !== "fresh") {
      this.refused[hearing] += 1;
      return;
    }
    const peer = peers.find(from) as Peer;
    peer.isCompatible = beat.configDigest === this.settings.configDigest;
    if (isNew) this.onNewPeer(peer);
    if (!peer.isCompatible) {
      this.refused.otherConfig += 1;
      return;
    }
    this.standing.hearSent(peer, beat.sent);
    if (!this.standing.obey(peer, beat)) this.refused.malformed += 1;
  }

  private onNewPeer(peer: Peer): void {
    this.out.tell({ name: "nodeUp", node: peer.node, incarnation: peer.incarnation });
    if (peer.isCompatible) this.standing.welcome(peer);
    else this.out.tell({ name: "configMismatch", node: peer.node });
  }

  private onLeave(from: Member, tick: number, now: number): void {
    const peer = this.standing.peers.find(from);
    if (!peer || tick <= peer.tick) {
      this.refused.unconfirmed += 1;
      return;
    }
    this.standing.self.known.delete(peer.node);
    this.standing.bury([peer], "left", now);
  }

  /**
   * Another node has our id. If it echoes our challenge it lives now, and one of the two must go:
   * the one that has not served yet, else the one with the higher incarnation.
   */
  private onTwin(from: Member, beat: Heartbeat, now: number): void {
    const { peers, self } = this.standing;
    peers.remember(from, beat.challenge, now);
    if (!echoes(beat.echoes, self.identity)) {
      this.refused.unconfirmed += 1;
      return;
    }
    this.refused.twin += 1;
    const itServes = beat.state === "active" || beat.state === "draining";
    const isHigher = self.identity.incarnation > from.incarnation;
    if (itServes === self.isServing ? isHigher : itServes) {
      this.stop("twin", "fatal");
      this.out.push({ kind: "fatal", message: `node id ${from.node} is used by a live node` });
    } else if (!this.twinsTold.has(from.incarnation)) {
      this.twinsTold.add(from.incarnation);
      this.out.tell({ name: "twin", incarnation: from.incarnation });
    }
  }

  /** After a pause longer than the lease the peers have taken over, whatever our queues say. */
  private checkLapse(now: number): void {
    const { lease } = this.standing.holding;
    if (!lease.hasLapsed(now)) return;
    this.out.tell({ name: "lapsed", pausedMs: lease.pausedMs(now) });
    this.standing.holding.stop("lapse");
    this.restart(now);
  }

  private sendLeave(): void {
    this.beats.leave();
    this.leavesLeft -= 1;
    if (this.leavesLeft > 0) return;
    this.halt = "left";
    this.out.push({ kind: "left" });
  }

  private restart(now: number): void {
    this.standing.restart(now);
    this.transport.restart(this.standing.self.identity.incarnation);
    this.beats.restart(now);
  }

  private stop(cause: ReleaseCause, halt: Halt): void {
    this.standing.holding.stop(cause);
    this.halt = halt;
  }

  private flush(): Output[] {
    this.standing.holding.settle();
    return this.out.flush();
  }
}
