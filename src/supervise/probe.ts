/**
 * ICMP and ICMPv6 echo probes of gateways, over the `raw-socket` package. It is not made for
 * several threads, so only the main thread may load it. The reply must reach this very node: the
 * interface needs an address of its own beside the cluster address, whose replies go to whichever
 * node owns their bucket.
 */
import { createRequire } from "node:module";
import { isIPv6 } from "node:net";
import { bootMs } from "../platform/clock.js";
import { OpError, operation } from "../platform/op-error.js";

const ECHO_BYTES = 16;
const REQUEST: Record<4 | 6, number> = { 4: 8, 6: 128 };
const REPLY: Record<4 | 6, number> = { 4: 0, 6: 129 };

interface RawSocket {
  on(event: "message", handler: (bytes: Buffer, source: string) => void): void;
  on(event: "error", handler: (error: Error) => void): void;
  send(
    bytes: Buffer,
    offset: number,
    length: number,
    address: string,
    done: (error: Error | null) => void,
  ): void;
  close(): void;
}

interface RawSocketModule {
  createSocket(options: { protocol: number; addressFamily: number }): RawSocket;
  createChecksum(bytes: Buffer): number;
  AddressFamily: { IPv4: number; IPv6: number };
  Protocol: { ICMP: number; ICMPv6: number };
}

/** An echo request. @param checksum of ICMPv6 is left to the kernel (RFC 3542, 3.1) */
export function echoRequest(family: 4 | 6, identifier: number, sequence: number): Buffer {
  const bytes = Buffer.alloc(ECHO_BYTES);
  bytes.writeUInt8(REQUEST[family], 0);
  bytes.writeUInt16BE(identifier, 4);
  bytes.writeUInt16BE(sequence & 0xffff, 6);
  return bytes;
}

/** Whether `bytes`, as a raw socket gives them, are the reply to our identifier. */
export function isEchoReply(family: 4 | 6, bytes: Buffer, identifier: number): boolean {
  const at = family === 4 ? ((bytes[0] ?? 0) & 15) * 4 : 0;
  if (bytes.length < at + 8) return false;
  return bytes[at] === REPLY[family] && bytes.readUInt16BE(at + 4) === identifier;
}

/** Asks each gateway once per interval and remembers when it last answered. */
export class GatewayProbe {
  private readonly answeredMs = new Map<string, number>();
  private readonly sockets = new Map<4 | 6, RawSocket>();
  private readonly raw: RawSocketModule;
  private sequence = 0;

  /** @throws OpError when the package is not built or CAP_NET_RAW is missing */
  constructor(
    private readonly gateways: readonly string[],
    private readonly identifier: number,
  ) {
    this.raw = loadRawSocket();
    for (const family of new Set(gateways.map((address) => (isIPv6(address) ? 6 : 4)))) {
      this.sockets.set(family, this.open(family));
    }
  }

  /** Sends one request to each gateway. */
  send(): void {
    this.sequence++;
    for (const address of this.gateways) {
      const family = isIPv6(address) ? 6 : 4;
      const bytes = echoRequest(family, this.identifier, this.sequence);
      if (family === 4) bytes.writeUInt16BE(this.raw.createChecksum(bytes), 2);
      // A request that cannot be sent is a probe without an answer; silence is what counts.
      this.sockets.get(family)?.send(bytes, 0, bytes.length, address, () => {});
    }
  }

  /** Whether at least one gateway answered in the last `windowMs`. */
  isReachable(windowMs: number): boolean {
    const since = bootMs() - windowMs;
    return [...this.answeredMs.values()].some((answered) => answered >= since);
  }

  close(): void {
    for (const socket of this.sockets.values()) socket.close();
  }

  private open(family: 4 | 6): RawSocket {
    const { AddressFamily, Protocol } = this.raw;
    const options =
      family === 4
        ? { protocol: Protocol.ICMP, addressFamily: AddressFamily.IPv4 }
        : { protocol: Protocol.ICMPv6, addressFamily: AddressFamily.IPv6 };
    const hint = "membership.probes needs CAP_NET_RAW";
    const socket = operation("open a raw socket", hint, () => this.raw.createSocket(options));
    socket.on("message", (bytes, source) => {
      if (!this.gateways.includes(source) || !isEchoReply(family, bytes, this.identifier)) return;
      this.answeredMs.set(source, bootMs());
    });
    socket.on("error", () => {}); // such as ENETDOWN: no answer will come, and that is noticed
    return socket;
  }
}

function loadRawSocket(): RawSocketModule {
  try {
    return createRequire(import.meta.url)("raw-socket") as RawSocketModule;
  } catch (cause) {
    const hint = "run `npm rebuild raw-socket`, or remove membership.probes";
    throw new OpError("load the package raw-socket", "EOPNOTSUPP", hint, { cause });
  }
}
