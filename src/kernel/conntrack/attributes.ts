/**
 * Reads netlink attributes. The reader keeps its first error and gives zeros from then on, so that
 * a decoder is a plain list of reads, checked once at its end. Nothing in it throws, whatever the
 * bytes: an attribute that claims more than there is, or less than its own header, is the error.
 */
const HEADER_BYTES = 4;
const NLA_TYPE_MASK = 0x3fff;

export class AttributeReader {
  /** What was wrong first; empty while nothing was. */
  error = "";
  /** Type of the attribute that {@link next} stands on, without the flags. */
  type = 0;
  private bytes: Buffer = Buffer.alloc(0);
  private at = 0;
  private end = 0;
  private value = 0;
  private valueEnd = 0;

  /** Starts anew on the attributes in `bytes` from `at` up to `end`, which must lie within. */
  reset(bytes: Buffer, at: number, end: number): void {
    this.error = "";
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /** Steps to the next attribute; false at the end and after an error. */
  next(): boolean {
    if (this.error !== "") return false;
    const left = this.end - this.at;
    if (left <= 0) return false;
    const length = left < HEADER_BYTES ? 0 : this.bytes.readUInt16LE(this.at);
    if (length < HEADER_BYTES || length > left) {
      this.error = `attribute of ${length} bytes where ${left} are left`;
      return false;
    }
    this.type = this.bytes.readUInt16LE(this.at + 2) & NLA_TYPE_MASK;
    this.value = this.at + HEADER_BYTES;
    this.valueEnd = this.at + length;
    this.at += (length + 3) & ~3;
    return true;
  }

  u8(): number {
    return this.has(1) ? this.bytes.readUInt8(this.value) : 0;
  }

  /** 16-bit word in network byte order. */
  u16(): number {
    return this.has(2) ? this.bytes.readUInt16BE(this.value) : 0;
  }

  /** Unsigned 32-bit word in network byte order. */
  u32(): number {
    return this.has(4) ? this.bytes.readUInt32BE(this.value) : 0;
  }

  /** Unsigned 64-bit word in network byte order; exact up to 2^53. */
  u64(): number {
    return this.has(8) ? Number(this.bytes.readBigUInt64BE(this.value)) : 0;
  }

  /** Copies the first `length` bytes of the value to the start of `out`. */
  copy(out: Uint8Array, length: number): void {
    if (!this.has(length)) return;
    for (let i = 0; i < length; i++) out[i] = this.bytes[this.value + i] as number;
  }

  /** A string that ends with a zero byte, or with the value. */
  string(): string {
    if (!this.has(0)) return "";
    const zero = this.bytes.indexOf(0, this.value);
    const end = zero >= 0 && zero < this.valueEnd ? zero : this.valueEnd;
    return this.bytes.toString("latin1", this.value, end);
  }

  /** Decodes the attributes inside this one into `out`, then goes on behind it. */
  nest<T>(decode: (reader: AttributeReader, out: T) => void, out: T): void {
    if (!this.has(0)) return;
    const { at, end } = this;
    this.at = this.value;
    this.end = this.valueEnd;
    decode(this, out);
    this.at = at;
    this.end = end;
  }

  private has(length: number): boolean {
    const there = this.valueEnd - this.value;
    if (this.error === "" && there < length) {
      this.error = `attribute ${this.type} has ${there} bytes of ${length}`;
    }
    return this.error === "";
  }
}
