/**
 * What the kernel tells: connection tracking messages, and the answers to requests. A kernel does
 * not lie, but it may be newer than we are; and a decoder that trusts lengths is one bug away from
 * harm. Each message is told once or counted as malformed, what lies behind the last one makes no
 * difference, and both decoders end.
 *
 *     input   0 options: 1 the lengths of the first message and its last attribute are put right
 *             1.. a datagram
 */
import { recordBytes } from "../../../src/cluster/flows/record-wire.js";
import { flowOf, writeRecordOf } from "../../../src/cluster/sync/convert.js";
import { REQUEST_BYTES_MAX, writeCreate } from "../../../src/kernel/conntrack/encode.js";
import { readDatagram, type Visitor } from "../../../src/kernel/conntrack/message.js";
import { type FlowRecord, newFlow } from "../../../src/kernel/conntrack/record.js";
import { parseQueueDrops } from "../../../src/kernel/drops.js";
import { acknowledgements, NetlinkWriter } from "../../../src/kernel/netlink.js";
import { MarkField } from "../../../src/state/mark-field.js";
import { EXPECTATION, FLOW } from "../../fixture/conntrack-bytes.js";
import { behaviour, check, newInput, type Target } from "../target.js";

const INPUT_BYTES = 2048;
/** More than any attribute that could be read beyond the end. */
const SURROUNDINGS = 64;
const HEADER_BYTES = 16;
const ATTRIBUTES_AT = 20;
const CT_NEW = 0x100;
const CT_DELETE = 0x102;
const EXP_NEW = 0x200;
const ERROR = 2;
const DONE = 3;
const MARKS = new MarkField(0xffff0000);

export class NetlinkTarget implements Target {
  readonly name = "netlink";
  readonly episode = 1;
  readonly input = newInput(1 + INPUT_BYTES);
  private readonly bytes = Buffer.alloc(INPUT_BYTES + SURROUNDINGS);
  private readonly writer = new NetlinkWriter(REQUEST_BYTES_MAX);
  private readonly record = newFlow();
  private shape = 0;

  seeds(): Uint8Array[] {
    const family = Buffer.from("02000000", "hex");
    const flow = message(CT_NEW, 0x600, Buffer.concat([family, FLOW]));
    const end = message(CT_DELETE, 0, Buffer.concat([family, FLOW]));
    const expectation = message(EXP_NEW, 0x400, Buffer.concat([family, EXPECTATION]));
    const refused = message(ERROR, 0, Buffer.from("eaffffff", "hex"));
    const done = message(DONE, 2, Buffer.alloc(4));
    const all = [flow, end, expectation, refused, done, Buffer.concat([flow, refused, done])];
    return all.flatMap((bytes) => [Uint8Array.of(0, ...bytes), Uint8Array.of(1, ...bytes)]);
  }

  reset(): void {}

  run(inputLength: number): number {
    const length = Math.max(0, inputLength - 1);
    for (let at = 0; at < length; at++) this.bytes[at] = this.input[1 + at] as number;
    if (((this.input[0] as number) & 1) !== 0 && length >= ATTRIBUTES_AT) this.mend(length);
    this.surround(length, 0);
    const seen = this.read(length);
    this.surround(length, 0xff);
    check(this.read(length) === seen, "bytes behind the end were read");
    const answers = acknowledgements(this.bytes, length).length;
    check(answers <= length / HEADER_BYTES, `${answers} answers in ${length} bytes`);
    const { queueDropped } = parseQueueDrops(this.bytes.toString("latin1", 0, length), 0, 4);
    return behaviour(this.shape, answers, queueDropped === 0 ? 0 : 1, this.record.present);
  }

  /** Lengths that fit, so that what is cut inside gets as far as it can. */
  private mend(length: number): void {
    const { bytes } = this;
    bytes.writeUInt32LE(length, 0);
    for (let at = ATTRIBUTES_AT; at + 4 <= length; ) {
      const size = bytes.readUInt16LE(at);
      if (size < 4) return;
      if (size > length - at) bytes.writeUInt16LE(length - at, at);
      at += (size + 3) & ~3;
    }
  }

  private surround(length: number, value: number): void {
    this.bytes.fill(value, length, length + SURROUNDINGS);
  }

  /** A number that tells what was told. */
  private read(length: number): number {
    let told = 0;
    let malformed = 0;
    let digest = 0;
    const visitor: Visitor = {
      flow: (_, flow) => {
        told += 1;
        digest = behaviour(digest, digestOf(flow));
        this.judge(flow);
      },
      expectation: () => {
        told += 1;
      },
      answer: (sequence, errno) => {
        told += 1;
        check(errno >= 0 && sequence >= 0, `errno ${errno} of ${sequence}`);
      },
      done: () => {
        told += 1;
      },
      interrupted: () => {},
      malformed: (error) => {
        malformed += 1;
        check(error !== "", "malformed without a word");
      },
    };
    readDatagram(this.bytes, 0, length, visitor);
    check(told + malformed <= length / HEADER_BYTES + 1, `${told} + ${malformed} in ${length}`);
    this.shape = behaviour(told, malformed);
    return behaviour(told, malformed, digest);
  }

  /** What was told can be replicated, and written as a request. */
  private judge(flow: FlowRecord): void {
    check([4, 6].includes(flow.original.family), `family ${flow.original.family}`);
    check(flow.mark >= 0 && flow.status >= 0 && flow.timeoutS >= 0, "a negative number");
    const replicated = flowOf(flow, MARKS);
    if (replicated === null || flow.helper.length > HEADER_BYTES) return;
    recordBytes(replicated);
    writeRecordOf(replicated, MARKS, this.record);
    this.writer.clear();
    writeCreate(this.writer, this.record);
  }
}

function digestOf(flow: FlowRecord): number {
  const { original, reply, mark, status, timeoutS, zone, id, use, state } = flow;
  const ends = [original, reply].flatMap(({ src, dst, srcPort, dstPort, icmpId, protocol }) => [
    ...[...src, ...dst, srcPort, dstPort, icmpId, protocol],
  ]);
  const shifts = Object.values(flow.shiftOriginal);
  return behaviour(...ends, ...shifts, mark, status, timeoutS, zone, id, use, state);
}

function message(type: number, flags: number, value: Buffer): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + value.length);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(flags, 6);
  value.copy(bytes, HEADER_BYTES);
  return bytes;
}
