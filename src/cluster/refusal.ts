/** Every way a datagram can be refused: one counter each, one line of explanation each. */
export const REFUSALS = {
  tooShort: "shorter than header and authentication tag",
  tooLong: "longer than the datagram limit of the links",
  badMagic: "not one of ours",
  badVersion: "another version of the protocol",
  otherCluster: "a cluster of another name shares the link",
  badSender: "sender id 0",
  badLink: "link index out of bounds",
  ownEcho: "our own datagram came back",
  rateLimited: "too many unknown incarnations in a second",
  badAuth: "authentication failed: another secret, or forged, or damaged",
  replayed: "counter seen before, or too old to tell",
  unknownKind: "authentic, but of a kind this version does not know",
  malformed: "authentic, but its body breaks the format",
  unconfirmed: "incarnation not proven to be alive now",
  stale: "a newer heartbeat of the sender was heard already",
  otherConfig: "sender differs in a setting the whole cluster must share",
  tooManyNodes: "more nodes than a cluster may have",
  twin: "another live node uses our node id",
} as const;

export type Refusal = keyof typeof REFUSALS;
export type RefusalCounters = Record<Refusal, number>;

export function newRefusalCounters(): RefusalCounters {
  const names = Object.keys(REFUSALS) as Refusal[];
  return Object.fromEntries(names.map((name) => [name, 0])) as RefusalCounters;
}
