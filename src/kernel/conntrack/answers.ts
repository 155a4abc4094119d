/** Visitors of what the kernel answers to requests: of a dump, and of single ones. */
import { OpError } from "../../platform/op-error.js";
import { answerCode } from "../request.js";
import type { Visitor } from "./message.js";

/** What a dump was like. */
export interface DumpReport {
  records: number;
  /** The kernel says that the table changed under it: some may be missing. */
  isInterrupted: boolean;
  malformed: number;
}

/** Hears nothing. */
export const SILENT: Visitor = {
  flow() {},
  expectation() {},
  answer() {},
  done() {},
  interrupted() {},
  malformed() {},
};

/** Counts in `report` what it tells. @throws OpError when the kernel refuses the dump */
export function dumpVisitor(
  name: string,
  report: DumpReport,
  told: Partial<Visitor>,
  done: () => void,
): Visitor {
  return {
    flow(change, flow) {
      report.records++;
      told.flow?.(change, flow);
    },
    expectation(change, record) {
      report.records++;
      told.expectation?.(change, record);
    },
    answer(_, errno) {
      if (errno !== 0) throw new OpError(name, answerCode(errno), "needs CAP_NET_ADMIN");
    },
    interrupted() {
      report.isInterrupted = true;
    },
    malformed() {
      report.malformed++;
    },
    done,
  };
}

/** Takes all steps of a dump at once. */
export function toEnd(steps: Generator<undefined, DumpReport>): DumpReport {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
