/** The whole cluster on virtual time: machines, links, workload, faults and checkers of one run. */
import { SENT_REPEAT_BEATS } from "../../src/cluster/limits.js";
import { Agenda } from "./agenda.js";
import { Calm } from "./calm.js";
import { Bounded } from "./checkers/bounded.js";
import { Cover } from "./checkers/cover.js";
import { Entry } from "./checkers/entry.js";
import { Graves } from "./checkers/graves.js";
import { Fence, LeaseHolds, NotHalfAlive } from "./checkers/lease.js";
import { Messages } from "./checkers/messages.js";
import { Agreed, InSync, Settled } from "./checkers/quiet.js";
import { Sight } from "./checkers/sight.js";
import { Streams } from "./checkers/stream.js";
import { Survival } from "./checkers/survival.js";
import { Tail } from "./checkers/tail.js";
import { Told } from "./checkers/told.js";
import { type Connection, slicedPorts, type Translation } from "./connection.js";
import { Disturbance } from "./disturbance.js";
import { Machine, type Scene } from "./machine.js";
import { Links } from "./network.js";
import type { Plan } from "./plan.js";
import { Random } from "./random.js";
import type { Timeline } from "./timeline.js";
import { Traffic } from "./traffic.js";
import { type Checker, Violation, Watch } from "./watch.js";

/** Milliseconds between the starts of the first nodes. */
const STAGGER_MS = 400;
/** How often it is asked in quiet whether all is well. */
const POLL_MS = 250;
/** How long it then has to stay well. */
const STABLE_MS = 2000;

/** What a mutant may change beside the program itself. */
export interface Twists {
  readonly slices?: (buckets: number) => Translation;
  /** Called with each machine before its first start. */
  readonly onMachine?: (machine: Machine) => void;
}

export class World {
  readonly agenda = new Agenda();
  readonly machines: Machine[] = [];
  readonly twins: Machine[] = [];
  readonly links: Links;
  readonly calm: Calm;
  readonly traffic: Traffic;
  readonly scene: Scene;
  readonly cover: Cover;
  readonly messages = new Messages();
  readonly streams = new Streams();
  readonly survival: Survival;
  private readonly disturbance: Disturbance;

  constructor(
    readonly plan: Plan,
    extra: readonly Checker[] = [],
    twists: Twists = {},
    readonly timeline: Timeline | null = null,
  ) {
    const { seed, settings, nodes } = plan;
    const { agenda, machines } = this;
    const random = new Random(seed + 1);
    this.links = new Links(agenda, new Random(seed + 2), () => [...machines, ...this.twins]);
    this.links.network = plan.network;
    this.calm = new Calm(plan, agenda, this.links, machines);
    this.cover = new Cover(plan, this.calm);
    const connections = new Map<string, Connection>();
    const open = new Set<Connection>();
    this.survival = new Survival(plan, this.calm, this.cover, machines, open);
    const observers = timeline ? [timeline, ...extra] : extra;
    const watch = new Watch([...observers, ...this.checkers(connections)]);
    if (timeline) timeline.agenda = agenda;
    const slices = (twists.slices ?? slicedPorts)(settings.buckets);
    const { links } = this;
    this.scene = { agenda, random, sim: settings, nodes, links, watch, slices, connections };
    this.traffic = new Traffic(
      this.scene,
      new Random(seed + 3),
      plan.workload,
      machines,
      connections,
      open,
    );
    for (let id = 1; id <= nodes; id++) {
      const machine = new Machine(this.scene, id, 1 + settings.drift * random.between(-1, 1));
      twists.onMachine?.(machine);
      machines.push(machine);
      agenda.in(random.between(0, STAGGER_MS), () => machine.start());
    }
    this.disturbance = new Disturbance(this);
    this.disturbance.schedule();
  }

  /** Faults first: nothing may happen that is never allowed. Then quiet: all must come right. */
  run(): void {
    this.traffic.begin();
    this.everySecond();
    this.agenda.runUntil(this.plan.faultyMs);
    this.traffic.end();
    this.disturbance.heal();
  }

  /** Milliseconds until all is well in quiet. @throws Violation when `limitMs` are over */
  settle(limitMs: number): number {
    const start = this.agenda.now;
    // What a heartbeat says wrongly of a stream does harm again with each repetition.
    const stableMs = STABLE_MS + SENT_REPEAT_BEATS * this.plan.settings.heartbeatMs;
    let wellSince = Number.POSITIVE_INFINITY;
    for (;;) {
      this.agenda.runUntil(this.agenda.now + POLL_MS);
      const { now } = this.agenda;
      const unsettled = this.scene.watch.unsettled();
      if (unsettled.length > 0) wellSince = Number.POSITIVE_INFINITY;
      else wellSince = Math.min(wellSince, now);
      if (now - wellSince >= stableMs) return wellSince - start;
      if (now - start < limitMs) continue;
      const [{ invariant, what }] =
        unsettled.length > 0 ? unsettled : [{ invariant: "R4", what: "not stable" }];
      throw new Violation(invariant, `after ${Math.round(limitMs)} ms of quiet: ${what}`);
    }
  }

  private checkers(connections: Scene["connections"]): Checker[] {
    const { plan, calm, machines } = this;
    return [
      ...[this.cover, this.messages, this.streams, this.survival],
      ...[new Entry(plan, machines), new Graves(), new Tail(plan, calm, machines)],
      new Told(plan, calm, machines),
      ...[new LeaseHolds(), new Fence(plan, calm, machines), new NotHalfAlive(plan, calm)],
      ...[new Settled(plan, machines), new InSync(machines), new Bounded(plan, machines)],
      ...[
        new Agreed(plan, calm, machines, connections),
        new Sight(plan, calm, this.links, machines),
      ],
    ];
  }

  private everySecond(): void {
    this.scene.watch.onSecond();
    this.agenda.in(1000, () => this.everySecond());
  }
}
