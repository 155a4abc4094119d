/**
 * A classifier in direct-action mode at the ingress of an interface (linux/pkt_sched.h,
 * linux/pkt_cls.h), for kernels that have no links for that place (before 6.6).
 *
 * It does not end with the process. Its priority and handle are ours: each start takes away what an
 * earlier one left, and filters of others stay. The `clsact` discipline that carries filters is
 * made where it is missing, and goes when this process has made it and nothing else is in it.
 */
import { type Netlink, native } from "../../platform/native.js";
import { errnoName, OpError, operation } from "../../platform/op-error.js";
import { acknowledgements, NetlinkWriter, NLM_F, NLMSG } from "../netlink.js";
import { answerCode } from "../request.js";

const NETLINK_ROUTE = 0;
const BUFFER_BYTES = 65536;
const ANSWER_MS = 1000;

const NEWQDISC = 36;
const DELQDISC = 37;
const NEWTFILTER = 44;
const DELTFILTER = 45;
const GETTFILTER = 46;

const CLSACT_HANDLE = 0xffff0000;
const CLSACT = 0xfffffff1;
const INGRESS = 0xfffffff2;
const EGRESS = 0xfffffff3;
const KIND = 1;
const OPTIONS = 2;
const BPF_FD = 6;
const BPF_NAME = 7;
const BPF_FLAGS = 8;
const DIRECT_ACTION = 1;
const ALL_PROTOCOLS = 0x0300; // ETH_P_ALL in network byte order

/** Priority among the filters of an interface; the handle is 1. */
export const FILTER_PRIORITY = 21335;
const FILTER_HANDLE = 1;
const FILTER = FILTER_PRIORITY * 0x10000 + ALL_PROTOCOLS;

/** Puts one program at one interface. Belongs to one thread. */
export class TcFilter {
  private readonly netlink: Netlink;
  private readonly writer = new NetlinkWriter(512);
  private readonly answer = Buffer.alloc(BUFFER_BYTES);
  private readonly hasMadeQdisc: boolean;

  /** @throws OpError; ENOENT where the kernel has no `clsact` or no `bpf` filter */
  constructor(
    private readonly ifindex: number,
    programFd: number,
    name: string,
  ) {
    this.netlink = operation("open a route socket", "", () => {
      return new native.Netlink(NETLINK_ROUTE, BUFFER_BYTES);
    });
    try {
      this.hasMadeQdisc = this.makeQdisc();
      this.removeFilter();
      this.request(NEWTFILTER, NLM_F.CREATE | NLM_F.EXCL, FILTER_HANDLE, INGRESS, FILTER, () => {
        this.writer.string(KIND, "bpf");
        this.writer.nest(OPTIONS, () => {
          this.writer.data(BPF_FD, word(programFd));
          this.writer.string(BPF_NAME, name);
          this.writer.data(BPF_FLAGS, word(DIRECT_ACTION));
        });
      });
    } catch (error) {
      this.netlink.close();
      throw error;
    }
  }

  /** Takes it away; an interface that is gone has taken it along. */
  close(): void {
    try {
      this.removeFilter();
      if (this.hasMadeQdisc && !this.hasFilters(INGRESS) && !this.hasFilters(EGRESS)) {
        this.request(DELQDISC, 0, CLSACT_HANDLE, CLSACT, 0, () => {});
      }
    } catch (error) {
      if (!["ENODEV", "ENOENT", "EINVAL"].includes(errnoName(error))) throw error;
    } finally {
      this.netlink.close();
    }
  }

  private makeQdisc(): boolean {
    try {
      this.request(NEWQDISC, NLM_F.CREATE | NLM_F.EXCL, CLSACT_HANDLE, CLSACT, 0, () => {
        this.writer.string(KIND, "clsact");
      });
      return true;
    } catch (error) {
      if (errnoName(error) === "EEXIST") return false;
      throw error;
    }
  }

  private removeFilter(): void {
    try {
      this.request(DELTFILTER, 0, FILTER_HANDLE, INGRESS, FILTER, () => {
        this.writer.string(KIND, "bpf");
      });
    } catch (error) {
      // EINVAL: no filter has this priority, or no discipline is there.
      if (!["ENOENT", "EINVAL"].includes(errnoName(error))) throw error;
    }
  }

  private hasFilters(parent: number): boolean {
    this.write(GETTFILTER, NLM_F.DUMP, 0, parent, 0, () => {});
    let found = false;
    for (;;) {
      const length = this.netlink.receive(this.answer, ANSWER_MS);
      if (length === 0) return true; // not known: then it stays
      for (let at = 0; at + 16 <= length; ) {
        const type = this.answer.readUInt16LE(at + 4);
        if (type === NLMSG.DONE || type === NLMSG.ERROR) return found;
        found ||= type === NEWTFILTER;
        at += (Math.max(16, this.answer.readUInt32LE(at)) + 3) & ~3;
      }
    }
  }

  private request(
    type: number,
    flags: number,
    handle: number,
    parent: number,
    info: number,
    attributes: () => void,
  ): void {
    const name = `change the filters of interface ${this.ifindex}`;
    this.write(type, flags | NLM_F.ACK, handle, parent, info, attributes);
    const length = operation(name, "", () => this.netlink.receive(this.answer, ANSWER_MS));
    const [ack] = acknowledgements(this.answer, length);
    if (ack === undefined) throw new OpError(name, "ETIMEDOUT", "the kernel did not answer");
    if (ack.errno !== 0) throw new OpError(name, answerCode(ack.errno), "tc");
  }

  /** One message with struct tcmsg. */
  private write(
    type: number,
    flags: number,
    handle: number,
    parent: number,
    info: number,
    attributes: () => void,
  ): void {
    const header = Buffer.alloc(20);
    header.writeInt32LE(this.ifindex, 4);
    header.writeUInt32LE(handle, 8);
    header.writeUInt32LE(parent, 12);
    header.writeUInt32LE(info, 16);
    this.writer.clear();
    this.writer.begin(type, flags, header);
    attributes();
    this.netlink.send(this.writer.bytes, this.writer.length);
  }
}

/** A 32-bit word as this family of netlink has it: in the order of the machine. */
function word(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}
