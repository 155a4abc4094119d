/** Single flows of the connection tracking table, found by either of their tuples. */
import { type Netlink, native } from "../../platform/native.js";
import { OpError, operation } from "../../platform/op-error.js";
import { NetlinkWriter, NLM_F } from "../netlink.js";
import { CT, CTA } from "./constants.js";
import { familyHeader, REQUEST_BYTES_MAX } from "./encode.js";
import { readDatagram } from "./message.js";
import type { FlowRecord, Tuple } from "./record.js";
import { writeTuple } from "./tuple.js";

const NETLINK_NETFILTER = 12;
const DATAGRAM_BYTES = 16_384;
const BUFFER_BYTES = 1_048_576;
/** Questions in one send: all answers fit into the receive buffer. */
const BATCH_MAX = 64;
const ANSWER_MS = 2000;

/** A socket of its own. Every call blocks for as long as the kernel works. Not to be shared. */
export class ConntrackLookup {
  private readonly netlink: Netlink;
  private readonly writer = new NetlinkWriter(BATCH_MAX * REQUEST_BYTES_MAX);
  private readonly bytes = Buffer.alloc(DATAGRAM_BYTES);

  /** @throws OpError, EPERM without CAP_NET_ADMIN */
  constructor() {
    this.netlink = operation("open the connection tracking table", "needs CAP_NET_ADMIN", () => {
      return new native.Netlink(NETLINK_NETFILTER, BUFFER_BYTES);
    });
  }

  /**
   * Finds the flow that has each tuple in one of its directions, in the default zone.
   * @param visit told of each tuple, in their order: its index, and the flow or null; the record
   *   holds only until it returns
   * @throws OpError
   */
  find(tuples: readonly Tuple[], visit: (index: number, flow: FlowRecord | null) => void): void {
    for (let first = 0; first < tuples.length; first += BATCH_MAX) {
      this.findBatch(tuples.slice(first, first + BATCH_MAX), (index, flow) =>
        visit(first + index, flow),
      );
    }
  }

  close(): void {
    this.netlink.close();
  }

  private findBatch(
    tuples: readonly Tuple[],
    visit: (index: number, flow: FlowRecord | null) => void,
  ): void {
    const name = "look a flow up";
    while (operation(name, "", () => this.netlink.receive(this.bytes, 0)) > 0); // late answers
    this.writer.clear();
    for (const tuple of tuples) {
      this.writer.begin(CT.GET, NLM_F.ACK, familyHeader(tuple.family));
      // The kernel looks both tuples of all flows up, whatever the attribute is called.
      writeTuple(this.writer, CTA.TUPLE_ORIG, tuple);
    }
    operation(name, "needs CAP_NET_ADMIN", () => {
      this.netlink.send(this.writer.bytes, this.writer.length);
    });
    let answered = 0;
    let isFound = false;
    const visitor = {
      flow(_change: string, flow: FlowRecord) {
        isFound = true;
        visit(answered, flow);
      },
      answer() {
        if (!isFound) visit(answered, null);
        isFound = false;
        answered += 1;
      },
      expectation() {},
      done() {},
      interrupted() {},
      malformed() {},
    };
    while (answered < tuples.length) {
      const length = operation(name, "", () => this.netlink.receive(this.bytes, ANSWER_MS));
      if (length === 0) throw new OpError(name, "ETIMEDOUT", "the kernel did not answer");
      readDatagram(this.bytes, 0, length, visitor);
    }
  }
}
