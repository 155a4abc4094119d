/** Expectations, between the kernel's records and what is replicated; see convert.ts. */
import { clearExpectation, type ExpectationRecord } from "../../kernel/conntrack/record.js";
import { type Expectation, timeoutClass, timeoutSeconds } from "../flows/record.js";
import { endsOf, masterOf, writeEnds } from "./ends.js";

/** @param bucket that of the master: the kernel gives an expected flow the mark of its master */
export function expectationOf(record: ExpectationRecord, bucket: number): Expectation {
  const { tuple, natTuple } = record;
  const isTranslated = natTuple.family !== 0;
  return {
    kind: "expectation",
    protocol: tuple.protocol,
    bucket,
    zone: record.zone,
    timeoutClass: timeoutClass(record.timeoutS),
    helper: record.helper,
    original: endsOf(tuple),
    mask: endsOf(record.mask),
    master: masterOf(record.master),
    flags: record.flags,
    class: record.class,
    fn: record.fn,
    nat: isTranslated ? { ...endsOf(natTuple), direction: record.natDirection } : null,
  };
}

/** Writes a replicated expectation into a kernel record. */
export function writeExpectation(expectation: Expectation, record: ExpectationRecord): void {
  clearExpectation(record);
  const { protocol, nat } = expectation;
  writeEnds(record.tuple, protocol, expectation.original);
  writeEnds(record.mask, protocol, expectation.mask);
  writeEnds(record.master, expectation.master.protocol, expectation.master);
  record.timeoutS = timeoutSeconds(expectation.timeoutClass);
  record.zone = expectation.zone;
  record.helper = expectation.helper;
  record.flags = expectation.flags;
  record.class = expectation.class;
  record.fn = expectation.fn;
  if (nat === null) return;
  record.natDirection = nat.direction;
  writeEnds(record.natTuple, protocol, nat);
}
