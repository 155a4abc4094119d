/**
 * Addresses and tuples as users write them, to the words that the packet code hashes.
 *
 *     10.0.0.1                                       an address
 *     tcp,10.0.0.1:1234,192.0.2.1:80                 a tuple, source first
 *     udp,[2001:db8::1]:53,[2001:db8::2]:4000        the same for IPv6
 *     icmp,10.0.0.1,10.0.0.2,77                      ICMP query with its id
 *     gre,10.0.0.1,10.0.0.2                          a protocol without ports
 *     tcp src=10.0.0.1 dst=... sport=1234 dport=80   as conntrack(8) prints it
 */
import { familyOf } from "../config/address.js";
import { Field, newPacket } from "../packet/dissect/packet.js";
import { CliError } from "./error.js";

/** IANA protocol numbers by the names that conntrack(8) and /etc/protocols use. */
const PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ["icmp", 1],
  ["tcp", 6],
  ["udp", 17],
  ["dccp", 33],
  ["gre", 47],
  ["esp", 50],
  ["ah", 51],
  ["icmpv6", 58],
  ["ipv6-icmp", 58],
  ["sctp", 132],
  ["udplite", 136],
]);
const WITH_PORTS: ReadonlySet<number> = new Set([6, 17, 33, 132, 136]);
const WITH_ID: ReadonlySet<number> = new Set([1, 58]);
const PORT_MAX = 65535;

const TUPLE_FORM =
  "write tcp,10.0.0.1:1234,192.0.2.1:80 or 'tcp src=10.0.0.1 dst=192.0.2.1 sport=1234 dport=80'";

/** The parts of a tuple, still as text. */
interface Parts {
  readonly protocol: string;
  readonly src: string;
  readonly dst: string;
  readonly sport: string | undefined;
  readonly dport: string | undefined;
}

/** An argument of `shardwall hash`, ready to be hashed. */
export interface Parsed {
  /** Whether it is a tuple, or an address alone. */
  readonly isTuple: boolean;
  readonly packet: Int32Array;
}

/** Parses an address or a tuple. @throws CliError with exit code 2 that names the fault */
export function parseTuple(text: string): Parsed {
  const input = text.trim();
  const packet = newPacket();
  if (familyOf(input) !== null) {
    writeAddress(input, packet, Field.SRC, input);
    return { isTuple: false, packet };
  }
  const parts = input.includes("=") ? conntrackParts(input) : commaParts(input);
  writeTuple(parts, packet, input);
  return { isTuple: true, packet };
}

function commaParts(input: string): Parts {
  const fields = input.split(",").map((field) => field.trim());
  if (fields.length < 3 || fields.length > 4) {
    throw bad(input, `is neither an address nor a tuple; ${TUPLE_FORM}`);
  }
  const [protocol, source, destination, id] = fields as [string, string, string, string?];
  const [src, sport] = splitEndpoint(source);
  const [dst, dport] = splitEndpoint(destination);
  if (id === undefined) return { protocol, src, dst, sport, dport };
  if (sport !== undefined || dport !== undefined) throw bad(input, "has ports and an id");
  if (!WITH_ID.has(protocolOf(protocol, input)))
    throw bad(input, `has an id, ${protocol} has none`);
  return { protocol, src, dst, sport: id, dport: id };
}

/** `a.b.c.d:port`, `[v6]:port` or an address alone. */
function splitEndpoint(text: string): [string, string | undefined] {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(text);
  return match === null ? [text, undefined] : [match[1] ?? match[2] ?? "", match[3]];
}

/**
 * The original direction comes first in a line of `conntrack -L`, so the first of each key counts.
 */
function conntrackParts(input: string): Parts {
  const words = input.split(/\s+/);
  const protocol = words.find((word) => PROTOCOLS.has(word.toLowerCase())) ?? (words[0] as string);
  const value = (key: string) =>
    words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1);
  const src = value("src");
  const dst = value("dst");
  if (src === undefined || dst === undefined) throw bad(input, "lacks src= or dst=");
  const id = value("id");
  return { protocol, src, dst, sport: value("sport") ?? id, dport: value("dport") ?? id };
}

function writeTuple(parts: Parts, packet: Int32Array, input: string): void {
  const protocol = protocolOf(parts.protocol, input);
  packet[Field.PROTOCOL] = protocol;
  const family = writeAddress(parts.src, packet, Field.SRC, input);
  if (writeAddress(parts.dst, packet, Field.DST, input) !== family) {
    throw bad(input, "mixes IPv4 and IPv6");
  }
  packet[Field.SRC_PORT] = portOf(parts.sport, protocol, input);
  packet[Field.DST_PORT] = portOf(parts.dport, protocol, input);
}

function protocolOf(text: string, input: string): number {
  const known = PROTOCOLS.get(text.toLowerCase());
  if (known !== undefined) return known;
  const number = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (number <= 255) return number;
  const names = [...PROTOCOLS.keys()].join(", ");
  throw bad(input, `has no protocol '${text}'; allowed: ${names}, or a number 0-255`);
}

function portOf(text: string | undefined, protocol: number, input: string): number {
  const wants = WITH_PORTS.has(protocol) ? "a port" : WITH_ID.has(protocol) ? "an id" : null;
  if (wants === null) {
    if (text !== undefined) throw bad(input, "has ports, its protocol has none");
    return 0;
  }
  if (text === undefined) throw bad(input, `lacks ${wants}; ${TUPLE_FORM}`);
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= PORT_MAX)) throw bad(input, `has ${wants} of '${text}'; allowed: 0-${PORT_MAX}`);
  return port;
}

/** Writes the words of an address and returns its family. */
function writeAddress(text: string, packet: Int32Array, word: number, input: string): 4 | 6 {
  const family = familyOf(text);
  if (family === null) throw bad(input, `has no valid address in '${text}'; ${TUPLE_FORM}`);
  packet[Field.FAMILY] = family;
  if (family === 4) packet[word] = ipv4Word(text);
  else packet.set(ipv6Words(text), word);
  return family;
}

function ipv4Word(text: string): number {
  return text.split(".").reduce((word, octet) => (word << 8) | Number(octet), 0);
}

/** The four words of a valid IPv6 address (RFC 4291 section 2.2). */
export function ipv6Words(text: string): number[] {
  const [head, tail] = text.split("::");
  const front = groupsOf(head ?? "");
  const back = groupsOf(tail ?? "");
  const gap = new Array<number>(8 - front.length - back.length).fill(0);
  const groups = [...front, ...gap, ...back];
  return [0, 2, 4, 6].map((at) => ((groups[at] as number) << 16) | (groups[at + 1] as number));
}

/** 16-bit groups; a dotted IPv4 tail gives two. */
function groupsOf(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)];
    const word = ipv4Word(group);
    return [word >>> 16, word & 0xffff];
  });
}

function bad(input: string, fault: string): CliError {
  return new CliError(`'${input}' ${fault}`, 2);
}
