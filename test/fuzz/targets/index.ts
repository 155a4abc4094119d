/** All that is fuzzed, by name. */
import type { Target } from "../target.js";
import { DatagramTarget } from "./datagram.js";
import { apiTarget, metricsTarget } from "./http.js";
import { MemberTarget } from "./member.js";
import { NetlinkTarget } from "./netlink.js";
import { PacketTarget } from "./packet.js";
import { StreamTarget } from "./stream.js";
import { ConfigTarget, TupleTarget } from "./text.js";

export const TARGETS: Readonly<Record<string, () => Target>> = {
  packet: () => new PacketTarget(),
  datagram: () => new DatagramTarget(),
  member: () => new MemberTarget(),
  stream: () => new StreamTarget(),
  netlink: () => new NetlinkTarget(),
  config: () => new ConfigTarget(),
  tuple: () => new TupleTarget(),
  api: apiTarget,
  metrics: metricsTarget,
};
