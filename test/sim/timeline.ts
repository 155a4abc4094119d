/**
 * What happened before a failure, for people: each node's messages, events and leases, and the
 * faults. The lines are kept in a ring. Only seeds with the cheap seal show the bodies; a failing
 * seed with the real one is run again with the cheap one, which changes nothing else.
 */
import type { FlowEvent, FlowOutput } from "../../src/cluster/flows/output.js";
import { dataSequence } from "../../src/cluster/frame/data.js";
import { HEADER_BYTES } from "../../src/cluster/frame/header.js";
import { isHeartbeat, readHeartbeat } from "../../src/cluster/frame/heartbeat.js";
import { KIND } from "../../src/cluster/frame/kind.js";
import type { ClusterEvent, Output } from "../../src/cluster/output.js";
import type { Run } from "../../src/cluster/ranges/bitmap.js";
import { TAG_BYTES } from "../../src/cluster/transport/seal.js";
import type { Agenda } from "./agenda.js";
import type { Machine, Process } from "./machine.js";
import type { Fault } from "./plan.js";
import type { Checker } from "./watch.js";

const KIND_NAME = Object.fromEntries(Object.entries(KIND).map(([name, kind]) => [kind, name]));

export class Timeline implements Checker {
  readonly invariant = "timeline";
  agenda: Agenda | null = null;
  private readonly ring: string[] = [];

  constructor(private readonly most: number) {}

  get lines(): readonly string[] {
    return this.ring;
  }

  fault(fault: Fault, what: string): void {
    this.note("fault", `${what} ${textOf(fault)}`);
  }

  onOutput(machine: Machine, _process: Process, output: Output): void {
    const name = `node ${machine.id}`;
    switch (output.kind) {
      case "send":
        if (output.link === 0) this.note(name, `sends ${bodyText(output.bytes)}`);
        return;
      case "lease":
        return;
      case "event":
        return this.note(name, eventText(output.event));
      case "up":
        if (output.input.kind === "peerUp" || output.input.kind === "peerDown") {
          this.note(name, `${output.input.kind} ${output.input.peer.node}`);
        }
        return;
      default:
        this.note(name, output.kind);
    }
  }

  onFlowOutput(machine: Machine, _process: Process, output: FlowOutput): void {
    const name = `node ${machine.id}`;
    if (output.kind === "event") this.note(name, flowEventText(output.event));
    else if (output.kind === "synced") this.note(name, `synced ${output.isSynced}`);
    else if (output.kind === "dump") this.note(name, "reads the kernel's table");
    else if (output.kind === "kernel") {
      const { original, bucket } = output.record;
      this.note(name, `${output.op}s flow of port ${original.srcPort}, bucket ${bucket}`);
    }
  }

  onDeath(machine: Machine, _process: Process, isMachine: boolean): void {
    this.note(`node ${machine.id}`, isMachine ? "its machine is gone" : "its process is gone");
  }

  private note(who: string, what: string): void {
    const now = (this.agenda?.now ?? 0).toFixed(1);
    this.ring.push(`${now.padStart(10)}  ${who.padEnd(8)} ${what}`);
    if (this.ring.length > this.most * 2) this.ring.splice(0, this.most);
  }
}

/** A fault in one line. */
export function textOf({ kind, atMs, forMs, ...rest }: Fault): string {
  const details = Object.entries(rest).map(([key, value]) => `${key} ${JSON.stringify(value)}`);
  return [`${kind} at ${Math.round(atMs)} for ${Math.round(forMs)} ms`, ...details].join(", ");
}

function bodyText(bytes: Uint8Array): string {
  const body = bytes.slice(HEADER_BYTES, bytes.length - TAG_BYTES);
  if (isHeartbeat(body)) {
    const { state, epoch, runs, echoes, sent, viewHash } = readHeartbeat(body);
    const heard = echoes.map(({ node }) => node).join();
    const view = (viewHash & 0xffffn).toString(16);
    const rest = `view ${view} claims ${runText(runs)} echoes ${heard} sent ${sent}`;
    return `heartbeat ${state} epoch ${epoch} ${rest}`;
  }
  const name = KIND_NAME[body[0]] ?? `kind ${body[0]}`;
  return body[0] === KIND.data ? `${name} ${dataSequence(body)}` : name;
}

function runText(runs: readonly Run[]): string {
  return runs.map(([first, last]) => `${first}-${last}`).join() || "nothing";
}

function eventText(event: ClusterEvent): string {
  switch (event.name) {
    case "claim":
      return `claims ${runText(event.runs)}, ${event.cause}`;
    case "release":
      return `releases ${runText(event.runs)} to ${event.to}, ${event.cause}`;
    case "view":
      return `view ${event.members.join()} epoch ${event.epoch}`;
    case "state":
      return `is ${event.state} ${event.reasons.join()}`;
    case "nodeDown":
      return `gives up node ${event.node}, ${event.cause} for ${Math.round(event.silentMs)} ms`;
    case "nodeUp":
      return `hears node ${event.node}`;
    case "lapsed":
      return `lapsed after ${Math.round(event.pausedMs)} ms`;
    default:
      return event.name;
  }
}

function flowEventText(event: FlowEvent): string {
  const peer = "peer" in event ? ` of node ${event.peer.node}` : "";
  const bucket = "bucket" in event ? ` bucket ${event.bucket}` : "";
  return `${event.name}${peer}${bucket}`;
}
