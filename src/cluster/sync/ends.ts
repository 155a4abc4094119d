/** Both ends of a direction, as the kernel's tuple and as what is replicated. */
import { PROTOCOL } from "../../kernel/conntrack/constants.js";
import type { Tuple } from "../../kernel/conntrack/record.js";
import type { Ends, Master } from "../flows/record.js";

const isIcmp = (protocol: number) => protocol === PROTOCOL.ICMP || protocol === PROTOCOL.ICMPV6;

export function endsOf(tuple: Tuple): Ends {
  const bytes = tuple.family === 4 ? 4 : 16;
  const icmp = isIcmp(tuple.protocol);
  return {
    src: tuple.src.slice(0, bytes),
    dst: tuple.dst.slice(0, bytes),
    srcPort: icmp ? tuple.icmpId : tuple.srcPort,
    dstPort: icmp ? (tuple.icmpType << 8) | tuple.icmpCode : tuple.dstPort,
  };
}

export function writeEnds(tuple: Tuple, protocol: number, ends: Ends): void {
  tuple.family = ends.src.length === 4 ? 4 : 6;
  tuple.protocol = protocol;
  tuple.src.fill(0).set(ends.src);
  tuple.dst.fill(0).set(ends.dst);
  if (isIcmp(protocol)) {
    tuple.icmpId = ends.srcPort;
    tuple.icmpType = ends.dstPort >> 8;
    tuple.icmpCode = ends.dstPort & 0xff;
  } else {
    tuple.srcPort = ends.srcPort;
    tuple.dstPort = ends.dstPort;
  }
}

export function masterOf(tuple: Tuple): Master {
  return { ...endsOf(tuple), protocol: tuple.protocol };
}
