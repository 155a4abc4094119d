/** The keys of the section `sync`; see schema.ts. */
import { parsePrefix } from "./address.js";
import { list, section, text, wholeOr, word } from "./leaf.js";
import * as limits from "./limits.js";

const prefix = () =>
  text(
    (value) => parsePrefix(value) !== null,
    "an address with prefix length, 192.168.0.0/24 or 2001:db8::/64",
    "Addresses.",
  );

export const sync = section(
  {
    protocols: list(
      word(
        ["tcp", "udp", "udplite", "sctp", "dccp", "icmp", "icmpv6", "gre"],
        "Protocol of the flows.",
      ),
      limits.SYNC_PROTOCOLS,
      "Protocols whose flows are replicated.",
    ).default(["tcp", "udp", "icmp"]),
    states: list(
      word(["opening", "established", "closing"], "State of a TCP connection."),
      limits.SYNC_STATES,
      "TCP connections are replicated while in one of these states.",
    ).default(["opening", "established", "closing"]),
    ignore: list(
      prefix(),
      limits.SYNC_PREFIXES,
      "Flows from, to or answered by one of these are not replicated.",
    ).default([]),
    only: list(
      prefix(),
      limits.SYNC_PREFIXES,
      "If any: only flows from, to or answered by one of these are replicated.",
    ).default([]),
    windowMs: wholeOr(limits.SYNC_WINDOW_MS, "Flows that live shorter than this are not told."),
    flows: wholeOr(limits.SYNC_FLOWS, "Flows that a node remembers, own and replicated."),
    eventBufferBytes: wholeOr(
      limits.EVENT_BUFFER,
      "Receive buffer of the kernel's events at the start; it grows when events were lost.",
    ),
    holdMs: wholeOr(
      limits.SYNC_HOLD_MS,
      "Longest time the first reply of a flow waits until the peers have the flow; 0: never.",
    ),
    replicas: word(
      ["warm", "cold"],
      "Whether other nodes' flows are in the kernel beforehand, or only when their bucket comes.",
    ).default("warm"),
  },
  "Flow replication.",
);
