/** The first byte of each body says what it is. Numbers are never reused. */
export const KIND = {
  heartbeat: 1,
  leave: 2,
  data: 3,
  nak: 4,
  resync: 5,
  start: 6,
  repair: 7,
  ack: 8,
} as const;

/** Whether a body belongs to the layers above membership: broadcast and flows. */
export function isFlowKind(kind: number): boolean {
  return kind >= KIND.data && kind <= KIND.ack;
}

/** Own state as it travels in a heartbeat. `dead` is a verdict of others and is never sent. */
export const STATES = ["joining", "syncing", "active", "draining"] as const;
export type State = (typeof STATES)[number];

/** 0 is left out, so that zeroed bytes are not a valid state. */
export function stateCode(state: State): number {
  return STATES.indexOf(state) + 1;
}
