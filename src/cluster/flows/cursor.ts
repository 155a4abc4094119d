/**
 * Writing and reading the parts of a payload one after the other; numbers are big-endian. A reader
 * keeps its first error: it goes on with zeros, and is asked once at the end.
 */
import { setU16, setU32, u16, u32 } from "../frame/bytes.js";

/** Longer than any op: the longest is an expectation of IPv6 with both its names. */
const OP_BYTES_MAX = 512;

export class ByteWriter {
  private readonly bytes = Buffer.alloc(OP_BYTES_MAX);
  private at = 0;

  u8(value: number): this {
    this.bytes[this.at] = value;
    this.at += 1;
    return this;
  }

  u16(value: number): this {
    setU16(this.bytes, this.at, value);
    this.at += 2;
    return this;
  }

  u32(value: number): this {
    setU32(this.bytes, this.at, value);
    this.at += 4;
    return this;
  }

  /** @param value a whole number below 2^48 */
  u48(value: number): this {
    return this.u16(Math.floor(value / 2 ** 32)).u32(value % 2 ** 32);
  }

  /** By hand: of so few bytes, `set` takes longer to begin than to copy. */
  raw(bytes: Uint8Array): this {
    for (let i = 0; i < bytes.length; i++) this.bytes[this.at + i] = bytes[i];
    this.at += bytes.length;
    return this;
  }

  /** Octets that are kept as characters; see {@link takeText}. */
  octets(text: string): this {
    this.at += this.bytes.write(text, this.at, "latin1");
    return this;
  }

  /** Length in one octet, then ASCII. */
  text(text: string): this {
    this.u8(text.length);
    for (const char of text) this.u8(char.charCodeAt(0));
    return this;
  }

  /** What was written, as bytes of its own; the writer begins anew. */
  take(): Uint8Array {
    const taken = new Uint8Array(this.bytes.subarray(0, this.at));
    this.at = 0;
    return taken;
  }

  /** The same as a string of octets, which takes a quarter of the memory of a small array. */
  takeText(): string {
    const taken = this.bytes.toString("latin1", 0, this.at);
    this.at = 0;
    return taken;
  }
}

const octets = new Uint8Array(OP_BYTES_MAX);

export class ByteReader {
  isBroken = false;
  private at = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly end = bytes.length,
  ) {}

  /** Of octets that were kept as characters; good until the next one is made of text. */
  static ofText(text: string): ByteReader {
    const end = Math.min(text.length, OP_BYTES_MAX);
    for (let at = 0; at < end; at++) octets[at] = text.charCodeAt(at);
    return new ByteReader(octets, end);
  }

  get isAtEnd(): boolean {
    return this.at >= this.end;
  }

  u8(): number {
    const at = this.claim(1);
    return at < 0 ? 0 : this.bytes[at];
  }

  u16(): number {
    const at = this.claim(2);
    return at < 0 ? 0 : u16(this.bytes, at);
  }

  u32(): number {
    const at = this.claim(4);
    return at < 0 ? 0 : u32(this.bytes, at);
  }

  u48(): number {
    return this.u16() * 2 ** 32 + this.u32();
  }

  raw(length: number): Uint8Array {
    const at = this.claim(length);
    const taken = new Uint8Array(length); // not slice(): that of a Buffer shares memory
    if (at >= 0) for (let i = 0; i < length; i++) taken[i] = this.bytes[at + i];
    return taken;
  }

  /** Printable ASCII of at most `charsMax` characters. */
  text(charsMax: number): string {
    const length = this.u8();
    this.require(length <= charsMax);
    if (this.isBroken) return "";
    const bytes = this.raw(length);
    this.require(bytes.every((byte) => byte > 0x20 && byte < 0x7f));
    return String.fromCharCode(...bytes);
  }

  require(holds: boolean): void {
    if (!holds) this.isBroken = true;
  }

  private claim(length: number): number {
    const at = this.at;
    if (at + length > this.end) this.isBroken = true;
    if (this.isBroken) return -1;
    this.at += length;
    return at;
  }
}
