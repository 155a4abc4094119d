/** Addresses as users write them: MACs, prefixes and endpoints. No look-ups, no sockets. */
import { isIP, isIPv4 } from "node:net";

export interface Prefix {
  readonly address: string;
  readonly family: 4 | 6;
  /** Prefix length in bits, 0..32 or 0..128. */
  readonly length: number;
}

export interface Endpoint {
  readonly address: string;
  readonly family: 4 | 6;
  readonly port: number;
}

/** The family of an address without zone, or null if it is none. */
export function familyOf(address: string): 4 | 6 | null {
  if (address.includes("%")) return null;
  const family = isIP(address);
  return family === 4 || family === 6 ? family : null;
}

/** IPv4 224.0.0.0/4 (RFC 5771) and IPv6 ff00::/8 (RFC 4291 section 2.7). */
export function isMulticast(address: string): boolean {
  if (isIPv4(address)) {
    const first = Number(address.split(".")[0]);
    return first >= 224 && first <= 239;
  }
  return /^ff[0-9a-f]{2}:/i.test(address);
}

/** `0.0.0.0`, `::` and the IPv4 broadcast address name no host. */
export function isHost(address: string): boolean {
  if (familyOf(address) === null || isMulticast(address)) return false;
  return address !== "255.255.255.255" && !/^[0:.]+$/.test(address);
}

/** `192.168.0.5/24` to its parts, or null. The length must be written. */
export function parsePrefix(text: string): Prefix | null {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  if (match === null) return null;
  const address = match[1] as string;
  const family = familyOf(address);
  const length = Number(match[2]);
  if (family === null || length > (family === 4 ? 32 : 128)) return null;
  return { address, family, length };
}

/**
 * `address`, `address:port`, `[address]:port` or `[address]` to its parts, or null.
 * An IPv6 address with a port needs the brackets (RFC 3986 section 3.2.2).
 */
export function parseEndpoint(text: string, fallbackPort: number): Endpoint | null {
  const bare = familyOf(text);
  if (bare !== null) return { address: text, family: bare, port: fallbackPort };
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return null;
  const address = (match[1] ?? match[2]) as string;
  const family = familyOf(address);
  const bracketed = match[1] !== undefined;
  if (family === null || bracketed !== (family === 6)) return null;
  const port = match[3] === undefined ? fallbackPort : Number(match[3]);
  return port >= 1 && port <= 65535 ? { address, family, port } : null;
}

/** Six octets in hex with colons. */
export function isMac(text: string): boolean {
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text);
}

/** The group bit of the first octet (IEEE 802, section 8.2). All ones is broadcast, not a group. */
export function isMulticastMac(mac: string): boolean {
  const first = Number.parseInt(mac.slice(0, 2), 16);
  return (first & 1) === 1 && mac.toLowerCase() !== "ff:ff:ff:ff:ff:ff";
}

/** `1024-65535` to its ends, or null unless both are ports in order. */
export function parsePorts(text: string): readonly [number, number] | null {
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(text);
  if (match === null) return null;
  const first = Number(match[1]);
  const last = Number(match[2]);
  return first >= 1 && first <= last && last <= 65535 ? [first, last] : null;
}

/** The 4 or 16 bytes of an address, in network order. The address must be valid (`familyOf`). */
export function addressBytes(address: string): Uint8Array {
  if (isIPv4(address)) return Uint8Array.from(address.split(".").map(Number));
  const [front, back] = address.split("::") as [string, string?];
  const head = groupsOf(front);
  const tail = back === undefined ? [] : groupsOf(back);
  const bytes = new Uint8Array(16);
  bytes.set(head, 0);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

/** Bytes of the colon-separated groups of an IPv6 address; the last one may be dotted IPv4. */
function groupsOf(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (group.includes(".")) return group.split(".").map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
