/** Requests to the table of expectations: flows that a helper has announced. */
import { type NetlinkWriter, NLM_F } from "../netlink.js";
import { CTA_EXPECT, CTA_EXPECT_NAT, EXP } from "./constants.js";
import { familyHeader } from "./encode.js";
import type { ExpectationRecord } from "./record.js";
import { writeTuple } from "./tuple.js";

/**
 * Creates an expectation; its master must be in the table (else ENOENT) and have a helper.
 *
 * The kernel takes the time-out from the helper's policy. Kernels before the middle of 2026
 * give the expected flow the helper that is named here, which is wrong for all that only carries
 * data, but take a class only together with a name. So a name goes with a class alone.
 * @param flags NLM_F.ACK for an answer also on success
 */
export function writeCreateExpectation(
  writer: NetlinkWriter,
  record: ExpectationRecord,
  flags = 0,
): void {
  const { tuple, natTuple } = record;
  writer.begin(EXP.NEW, NLM_F.CREATE | NLM_F.EXCL | flags, familyHeader(tuple.family));
  writeTuple(writer, CTA_EXPECT.MASTER, record.master);
  writeTuple(writer, CTA_EXPECT.TUPLE, tuple);
  writeTuple(writer, CTA_EXPECT.MASK, { ...record.mask, protocol: tuple.protocol });
  writer.u32(CTA_EXPECT.TIMEOUT, record.timeoutS);
  if (record.zone !== 0) writer.u16(CTA_EXPECT.ZONE, record.zone);
  writer.u32(CTA_EXPECT.FLAGS, record.flags);
  writer.u32(CTA_EXPECT.CLASS, record.class);
  if (record.class !== 0) writer.string(CTA_EXPECT.HELP_NAME, record.helper);
  if (record.fn !== "") writer.string(CTA_EXPECT.FN, record.fn);
  if (natTuple.family === 0) return;
  writer.nest(CTA_EXPECT.NAT, () => {
    writer.u32(CTA_EXPECT_NAT.DIR, record.natDirection);
    writeTuple(writer, CTA_EXPECT_NAT.TUPLE, natTuple);
  });
}

/** Deletes the expectation of this tuple. */
export function writeDeleteExpectation(
  writer: NetlinkWriter,
  record: ExpectationRecord,
  flags = 0,
): void {
  writer.begin(EXP.DELETE, flags, familyHeader(record.tuple.family));
  writeTuple(writer, CTA_EXPECT.TUPLE, record.tuple);
  if (record.zone !== 0) writer.u16(CTA_EXPECT.ZONE, record.zone);
}

/** Asks for all expectations of both families. */
export function writeDumpExpectations(writer: NetlinkWriter): void {
  writer.begin(EXP.GET, NLM_F.DUMP, familyHeader(0));
}
