/** Requests to nf_tables over a netlink socket of the calling thread. */
import { type Netlink, native } from "../platform/native.js";
import { OpError, operation } from "../platform/op-error.js";
import {
  acknowledgements,
  eachMessage,
  type Message,
  type NetlinkWriter,
  NLM_F,
  NLMSG,
} from "./netlink.js";

const NETLINK_NETFILTER = 12;
const RECEIVE_BYTES = 262144;
const ANSWER_MS = 1000;

/** errno names of what netfilter answers; any other is shown as a number. */
const ERRNO: Record<number, string> = {
  1: "EPERM",
  2: "ENOENT",
  12: "ENOMEM",
  16: "EBUSY",
  17: "EEXIST",
  22: "EINVAL",
  23: "ENFILE",
  24: "EMFILE",
  28: "ENOSPC",
  75: "EOVERFLOW",
  95: "EOPNOTSUPP",
};

/** The name of an errno in an answer of the kernel. */
export function answerCode(errno: number): string {
  return ERRNO[errno] ?? `E${errno}`;
}

/** Shown each message of a dump; the bytes hold until it returns. */
export type Visit = (bytes: Buffer, message: Message) => void;

/** Sends batches and waits for their acknowledgement. Belongs to one thread. */
export class NfTables {
  private readonly netlink: Netlink;
  private readonly answer = Buffer.alloc(RECEIVE_BYTES);

  constructor() {
    this.netlink = operation("open a netlink socket", "needs CAP_NET_ADMIN", () => {
      return new native.Netlink(NETLINK_NETFILTER, RECEIVE_BYTES);
    });
  }

  /**
   * Sends the batch in `writer` and waits until the kernel has applied or refused it.
   * @param expected how many of its messages carry NLM_F_ACK
   * @throws OpError with the kernel's errno
   */
  apply(name: string, writer: NetlinkWriter, expected: number): void {
    this.drain();
    operation(name, "", () => this.netlink.send(writer.bytes, writer.length));
    let answered = 0;
    while (answered < expected) {
      const length = this.receive(name);
      for (const ack of acknowledgements(this.answer, length)) {
        if (ack.errno !== 0) throw new OpError(name, answerCode(ack.errno), "nftables");
        answered++;
      }
    }
  }

  /**
   * Sends the request for a dump in `writer` and shows what the kernel tells to `visit`.
   * @returns false where the tables changed meanwhile, so that something may be missing
   * @throws OpError with the kernel's errno
   */
  dump(name: string, writer: NetlinkWriter, visit: Visit): boolean {
    this.drain();
    operation(name, "", () => this.netlink.send(writer.bytes, writer.length));
    let [isDone, isWhole] = [false, true];
    while (!isDone) {
      const length = this.receive(name);
      for (const { errno } of acknowledgements(this.answer, length)) {
        if (errno !== 0) throw new OpError(name, answerCode(errno), "nftables");
      }
      eachMessage(this.answer, length, (message) => {
        if ((message.flags & NLM_F.DUMP_INTR) !== 0) isWhole = false;
        if (message.type === NLMSG.DONE) isDone = true;
        else visit(this.answer, message);
      });
    }
    return isWhole;
  }

  close(): void {
    this.netlink.close();
  }

  private receive(name: string): number {
    const length = operation(name, "", () => this.netlink.receive(this.answer, ANSWER_MS));
    if (length === 0) throw new OpError(name, "ETIMEDOUT", "the kernel did not answer");
    return length;
  }

  /** Late answers of a refused batch must not be taken for those of the next one. */
  private drain(): void {
    while (operation("read netlink", "", () => this.netlink.receive(this.answer, 0)) > 0);
  }
}
