/** The measurement on virtual time: one seed, one run. */
import { BEAT_MS, LossNode, MESSAGE_MS, NODES, outcomeOf, TICK_MS } from "./node.mjs";

const WARM_MS = 2000;

/** mulberry32. */
function seeded(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @param loss share of datagrams lost, for each receiver by itself; heartbeats too */
export function simulate(loss, seed, seconds) {
  const random = seeded(seed * 2654435761);
  const agenda = new Map();
  let now = 0;
  let isLossy = false;
  const post = (from, arrive) => {
    for (const to of nodes) {
      if (to === from || (isLossy && random() < loss)) continue;
      const at = now + 1 + Math.floor(random() * 2);
      const list = agenda.get(at) ?? [];
      list.push(() => arrive(to));
      agenda.set(at, list);
    }
  };
  const nodes = Array.from({ length: NODES }, (_, index) => {
    const send = (body) => post(node, (to) => to.broadcast.onBody(node.member, body, now));
    const node = new LossNode(index + 1, send, () => Math.floor(random() * 2 ** 32));
    node.phase = Math.floor(random() * MESSAGE_MS);
    return node;
  });
  for (const node of nodes) {
    for (const peer of nodes) if (peer !== node) node.broadcast.peerUp(peer.member, 0);
  }
  const end = WARM_MS + seconds * 1000;
  for (; now < end; now++) {
    if (now === WARM_MS) {
      if (!nodes.every((node) => node.isFollowingAll)) throw new Error("not in sync before");
      for (const node of nodes) node.startCounting();
      isLossy = true;
    }
    for (const arrive of agenda.get(now) ?? []) arrive();
    agenda.delete(now);
    for (const node of nodes) {
      const at = now + node.phase;
      if (at % MESSAGE_MS === 0 && isLossy) node.publish(now);
      if (at % TICK_MS === 0) node.tick(now);
      if (at % BEAT_MS !== 0) continue;
      const { sent } = node;
      post(node, (to) => to.broadcast.onSent(node.member, sent, now));
    }
  }
  return outcomeOf(nodes);
}
