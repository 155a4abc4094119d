/**
 * Netlink messages as bytes (linux/netlink.h). No sockets here: a writer that fills one buffer, and
 * a reader of the kernel's acknowledgements.
 */
const HEADER_BYTES = 16;
const ATTRIBUTE_BYTES = 4;
const ERRNO_BYTES = 4;
const NLA_F_NESTED = 0x8000;

export const NLM_F = {
  REQUEST: 1,
  ACK: 4,
  /** The table changed under a dump: entries may be missing in it. */
  DUMP_INTR: 0x10,
  DUMP: 0x300,
  EXCL: 0x200,
  CREATE: 0x400,
  APPEND: 0x800,
} as const;
export const NLMSG = { ERROR: 2, DONE: 3 } as const;

/**
 * Fills `bytes` with messages laid end to end. Overflow is a bug of the caller and throws a
 * RangeError.
 */
export class NetlinkWriter {
  readonly bytes: Buffer;
  length = 0;
  private message = 0;
  private sequence = 0;

  constructor(capacityBytes: number) {
    this.bytes = Buffer.alloc(capacityBytes);
  }

  clear(): void {
    this.bytes.fill(0, 0, this.length);
    this.length = 0;
    this.sequence = 0;
  }

  /** Begins a message; it ends where the next one begins. `header` is the family's fixed part. */
  begin(type: number, flags: number, header: Uint8Array): void {
    this.message = this.length;
    this.bytes.writeUInt16LE(type, this.length + 4);
    this.bytes.writeUInt16LE(flags | NLM_F.REQUEST, this.length + 6);
    this.bytes.writeUInt32LE(++this.sequence, this.length + 8);
    this.length += HEADER_BYTES;
    this.append(header);
    this.align();
  }

  u8(type: number, value: number): void {
    const at = this.openAttribute(type);
    this.bytes.writeUInt8(value, this.length);
    this.length += 1;
    this.close(at);
  }

  /** Attribute of a 16-bit word in network byte order. */
  u16(type: number, value: number): void {
    const at = this.openAttribute(type);
    this.bytes.writeUInt16BE(value, this.length);
    this.length += 2;
    this.close(at);
  }

  /** Attribute of a 32-bit word in network byte order. */
  u32(type: number, value: number): void {
    const at = this.openAttribute(type);
    this.bytes.writeUInt32BE(value >>> 0, this.length);
    this.length += 4;
    this.close(at);
  }

  /** Attribute of a 64-bit word in network byte order; exact up to 2^53. */
  u64(type: number, value: number): void {
    const at = this.openAttribute(type);
    this.bytes.writeBigUInt64BE(BigInt(value), this.length);
    this.length += 8;
    this.close(at);
  }

  /** Attribute of a zero-terminated string. */
  string(type: number, value: string): void {
    const at = this.openAttribute(type);
    this.append(Buffer.from(`${value}\0`));
    this.close(at);
  }

  /** Attribute of the first `length` bytes of `value`. */
  data(type: number, value: Uint8Array, length = value.length): void {
    const at = this.openAttribute(type);
    this.append(value, length);
    this.close(at);
  }

  /** A nested attribute, filled by `fill`. */
  nest(type: number, fill: () => void): void {
    const at = this.openAttribute(type | NLA_F_NESTED);
    fill();
    this.close(at);
  }

  private openAttribute(type: number): number {
    const at = this.length;
    this.bytes.writeUInt16LE(type, at + 2);
    this.length += ATTRIBUTE_BYTES;
    return at;
  }

  private close(at: number): void {
    this.bytes.writeUInt16LE(this.length - at, at);
    this.align();
  }

  private append(value: Uint8Array, length = value.length): void {
    if (this.length + length > this.bytes.length) throw new RangeError("netlink buffer full");
    for (let i = 0; i < length; i++) this.bytes[this.length + i] = value[i] as number;
    this.length += length;
  }

  /** Pads to four bytes and keeps the length field of the message right. */
  private align(): void {
    this.length = (this.length + 3) & ~3;
    this.bytes.writeUInt32LE(this.length - this.message, this.message);
  }
}

/**
 * One answer of the kernel: errno (0 for success) and the sequence number of the message it belongs
 * to.
 */
export interface Acknowledgement {
  readonly errno: number;
  readonly sequence: number;
}

/** The NLMSG_ERROR messages in one received datagram; anything cut short is left out. */
export function acknowledgements(bytes: Buffer, length: number): Acknowledgement[] {
  const found: Acknowledgement[] = [];
  eachMessage(bytes, length, ({ type, at, end }) => {
    if (type !== NLMSG.ERROR || end - at < HEADER_BYTES + ERRNO_BYTES) return;
    const errno = -bytes.readInt32LE(at + HEADER_BYTES) | 0;
    found.push({ errno, sequence: bytes.readUInt32LE(at + 8) });
  });
  return found;
}

/** A message in a received datagram, header included: from `at` up to `end`. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly at: number;
  readonly end: number;
}

/** Shows the messages in the first `length` bytes, up to one that is cut short. */
export function eachMessage(
  bytes: Buffer,
  length: number,
  visit: (message: Message) => void,
): void {
  let at = 0;
  while (at + HEADER_BYTES <= length) {
    const size = bytes.readUInt32LE(at);
    // A size near 2^32 would, rounded up, lead nowhere or backwards.
    if (size < HEADER_BYTES || size > length - at) return;
    const [type, flags] = [bytes.readUInt16LE(at + 4), bytes.readUInt16LE(at + 6)];
    visit({ type, flags, at, end: at + size });
    at += (size + 3) & ~3;
  }
}
