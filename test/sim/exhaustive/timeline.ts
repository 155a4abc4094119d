/** A way through the world as a time line: what happened, what was said, what changed. */
import type { ClusterEvent } from "../../../src/cluster/output.js";
import type { Run } from "../../../src/cluster/ranges/bitmap.js";
import { bucketsText, heartbeatOf, leased, maskOf } from "./machine.js";
import type { Stage } from "./step.js";
import { type Action, datagramOf, nowOf, receiverOf, type Trail, type World } from "./world.js";

/** The lines of a way, taken once more on its stage; the last action is the bad one. */
export function timeLine(start: World, stage: Stage, trail: Trail | null): string[] {
  const actions: Action[] = [];
  for (let at = trail; at; at = at.before) actions.unshift(at.action);
  let world = start;
  const lines = [stateLine(world)];
  for (const action of actions) {
    lines.push(`${String(nowOf(world.beat)).padStart(5)} ms  ${said(stage, action)}`);
    const deeds = stage.deedsOf(world, action);
    for (const event of deeds?.events ?? []) lines.push(`              ${eventText(event)}`);
    for (const bytes of deeds?.sent ?? []) lines.push(`              says ${datagramText(bytes)}`);
    try {
      world = stage.apply(world, action);
    } catch (error) {
      return [...lines, `          => ${(error as Error).message}`];
    }
    if (action.kind === "advance") lines.push(stateLine(world));
  }
  return lines;
}

function said(stage: Stage, action: Action): string {
  if ("node" in action) return `${action.kind} ${action.node}`;
  if (action.kind === "advance") return "the next heartbeat begins";
  const bytes = stage.bytesOf(action.packet);
  const way = `${bytes[5]} -> ${receiverOf(action.packet)}`;
  return `${action.kind} ${way}: #${datagramOf(action.packet)} ${datagramText(bytes)}`;
}

function datagramText(bytes: Uint8Array): string {
  const beat = heartbeatOf(bytes);
  if (!beat) return "LEAVE";
  const view = beat.viewHash.toString(16).slice(-4);
  const place = `tick ${beat.tick}, epoch ${beat.epoch}, view ${view}`;
  return `${beat.state} ${place}, claims ${runsText(beat.runs)}`;
}

function runsText(runs: readonly Run[]): string {
  return bucketsText(maskOf(runs, 31));
}

function eventText(event: ClusterEvent): string {
  switch (event.name) {
    case "claim":
      return `claims ${runsText(event.runs)} (${event.cause})`;
    case "release":
      return `releases ${runsText(event.runs)} (${event.cause} to ${event.to})`;
    case "view":
      return `view ${event.members.join(" ")}, epoch ${event.epoch}`;
    case "state":
      return `is ${event.state}`;
    case "nodeUp":
      return `finds ${event.node}`;
    case "nodeDown":
      return `takes ${event.node} for dead (${event.cause})`;
    default:
      return event.name;
  }
}

function stateLine(world: World): string {
  const now = nowOf(world.beat);
  const owners = world.machines.map((one, index) =>
    one ? `${index + 1}: ${bucketsText(leased(one.machine, now))}` : `${index + 1}: off`,
  );
  return `${String(now).padStart(5)} ms  -- accepted by ${owners.join("; ")}`;
}
