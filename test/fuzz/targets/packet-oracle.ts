/**
 * A packet read a second time, apart from the dissector: one walk with a cursor, straight from the
 * RFCs. The two share nothing but the numbers of the reasons.
 */
import { Reason } from "../../../src/state/reason.js";

const OPENS = 1;
const FOLLOWS = 2;
const QUOTES = 3;
const NO_LIMIT = Number.MAX_SAFE_INTEGER;
const EXTENSIONS_MAX = 8;

/** Minimum of bytes behind IP, by protocol; 0 where nothing is asked for. */
const LEAST: Readonly<Record<number, number>> = {
  6: 20,
  17: 8,
  33: 12,
  47: 4,
  50: 8,
  51: 12,
  132: 16,
  136: 8,
};

export class PacketOracle {
  /** 0 where the packet can be used, else a `Reason`. */
  status = 0;
  kind = 0;
  family = 0;
  protocol = 0;
  srcPort = 0;
  dstPort = 0;
  /** Where the addresses lie. */
  srcAt = 0;
  dstAt = 0;
  private at = 0;
  private limit = 0;
  private end = 0;

  constructor(readonly view: DataView) {}

  /** Reads the packet in `[at, end)`; the status is 0 or the reason to drop it for. */
  read(at: number, end: number): number {
    this.status = 0;
    this.kind = 0;
    this.at = at;
    this.limit = NO_LIMIT;
    this.end = end;
    if (this.has(1)) this.readNetwork(false);
    if (this.status === 0) this.readTransport();
    return this.status;
  }

  /** Whether `bytes` from the cursor on can be read; if not, that is the status. */
  private has(bytes: number): boolean {
    if (this.status !== 0) return false;
    if (this.at + bytes > this.limit) this.status = Reason.MALFORMED;
    else if (this.at + bytes > this.end) this.status = Reason.TRUNCATED;
    return this.status === 0;
  }

  private require(holds: boolean, reason: number = Reason.MALFORMED): void {
    if (this.status === 0 && !holds) this.status = reason;
  }

  private u8(offset: number): number {
    return this.view.getUint8(this.at + offset);
  }

  private u16(offset: number): number {
    return this.view.getUint16(this.at + offset);
  }

  private readNetwork(isQuote: boolean): void {
    const version = this.u8(0) >>> 4;
    if (isQuote) this.require(version === this.family);
    this.require(version === 4 || version === 6, Reason.UNSUPPORTED);
    if (this.status !== 0) return;
    this.family = version;
    if (version === 4) this.readIpv4(isQuote);
    else this.readIpv6(isQuote);
  }

  private readIpv4(isQuote: boolean): void {
    if (!this.has(20)) return;
    if (!isQuote) this.limit = this.at + this.u16(2);
    const header = (this.u8(0) % 16) * 4;
    if (!this.has(20)) return;
    this.require(header >= 20);
    if (!this.has(header)) return;
    const fragment = this.u16(6) % 0x4000;
    this.require(fragment % 0x2000 === 0 && (isQuote || fragment === 0), Reason.FRAGMENT);
    this.protocol = this.u8(9);
    this.srcAt = this.at + 12;
    this.dstAt = this.at + 16;
    this.at += header;
  }

  private readIpv6(isQuote: boolean): void {
    if (!this.has(40)) return;
    if (!isQuote) this.limit = this.at + 40 + this.u16(4);
    this.srcAt = this.at + 8;
    this.dstAt = this.at + 24;
    let next = this.u8(6);
    this.at += 40;
    for (let left = EXTENSIONS_MAX; isExtension(next); left--) {
      if (!this.has(8)) return;
      if (next === 44) {
        const offsetAndMore = this.u16(2);
        this.require(offsetAndMore >>> 3 === 0, Reason.FRAGMENT);
        this.require(isQuote || offsetAndMore % 2 === 0, Reason.FRAGMENT);
      }
      this.require(left > 0, Reason.UNSUPPORTED);
      if (this.status !== 0) return;
      const units = next === 44 ? 0 : this.u8(1);
      const bytes = next === 51 ? 4 * (units + 2) : 8 * (units + 1);
      next = this.u8(0);
      this.at += bytes;
    }
    this.require(this.at <= this.limit);
    this.protocol = next;
  }

  private readTransport(): void {
    const { protocol, family } = this;
    this.kind = OPENS;
    this.srcPort = 0;
    this.dstPort = 0;
    if ((family === 4 && protocol === 1) || (family === 6 && protocol === 58)) this.readIcmp();
    else if (this.hasLeast()) this.readPorted();
  }

  /** Whether the smallest header is there. Where none is asked for, the limit alone counts. */
  private hasLeast(): boolean {
    const least = LEAST[this.protocol] ?? 0;
    if (least > 0) return this.has(least);
    this.require(this.at <= this.limit);
    return this.status === 0;
  }

  private readPorted(): void {
    switch (this.protocol) {
      case 6: {
        const size = (this.u8(12) >>> 4) * 4;
        this.require(size >= 20 && this.at + size <= this.limit);
        const flags = this.u8(13);
        this.require(areTcpFlagsUsable(flags));
        this.kind = flags % 4 >= 2 && (flags & 16) === 0 ? OPENS : FOLLOWS;
        break;
      }
      case 17:
      case 136: {
        const length = this.u16(4);
        const isAll = this.protocol === 136 && length === 0;
        this.require(isAll || (length >= 8 && this.at + length <= this.limit));
        break;
      }
      case 33: {
        const size = this.u8(4) * 4;
        this.require(size >= (this.u8(8) % 2 === 1 ? 16 : 12) && this.at + size <= this.limit);
        this.kind = (this.u8(8) >>> 1) % 16 === 0 ? OPENS : FOLLOWS;
        break;
      }
      case 132:
        this.require(this.u16(14) >= 4);
        this.kind = this.u8(12) === 1 || this.u8(12) === 4 ? OPENS : FOLLOWS;
        break;
      default:
        return;
    }
    this.srcPort = this.u16(0);
    this.dstPort = this.u16(2);
  }

  private readIcmp(): void {
    if (!this.has(8)) return;
    const role = icmpRole(this.family, this.u8(0));
    if (role === "error") {
      this.kind = QUOTES;
      this.at += 8;
      this.readQuote();
      return;
    }
    this.kind = role === "reply" ? FOLLOWS : OPENS;
    this.srcPort = role === "other" ? 0 : this.u16(4);
    this.dstPort = this.srcPort;
  }

  /** The packet that an error is about: as much of it as names its flow. */
  private readQuote(): void {
    if (!this.has(1)) return;
    this.readNetwork(true);
    if (this.status !== 0) return;
    const { protocol, family } = this;
    if ([6, 17, 33, 132, 136].includes(protocol)) {
      if (!this.has(4)) return;
      this.srcPort = this.u16(0);
      this.dstPort = this.u16(2);
    } else if ((family === 4 && protocol === 1) || (family === 6 && protocol === 58)) {
      if (!this.has(8)) return;
      const role = icmpRole(family, this.u8(0));
      this.require(role !== "error");
      this.srcPort = role === "other" ? 0 : this.u16(4);
      this.dstPort = this.srcPort;
    }
  }
}

function isExtension(next: number): boolean {
  return next === 0 || next === 43 || next === 44 || next === 51 || next === 60;
}

/** SYN, RST and FIN exclude each other; without any of them, and with FIN, there is an ACK. */
function areTcpFlagsUsable(flags: number): boolean {
  const [fin, syn, rst, ack] = [flags & 1, (flags >> 1) & 1, (flags >> 2) & 1, (flags >> 4) & 1];
  if ((fin as number) + (syn as number) + (rst as number) > 1) return false;
  return syn === 1 || rst === 1 || ack === 1;
}

function icmpRole(family: number, type: number): "error" | "query" | "reply" | "other" {
  if (family === 6) {
    if (type < 128) return "error";
    return type === 128 ? "query" : type === 129 ? "reply" : "other";
  }
  if ([3, 4, 5, 11, 12].includes(type)) return "error";
  if ([8, 13, 15, 17].includes(type)) return "query";
  return [0, 14, 16, 18].includes(type) ? "reply" : "other";
}
