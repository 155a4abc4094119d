/** Which replicas may stay out of the kernel: those whose packets name no wrong bucket there. */
import { describe, expect, test } from "vitest";
import type { Flow } from "../../../src/cluster/flows/record.js";
import { isKeptOut } from "../../../src/cluster/sync/cold.js";
import { flow } from "../flows/flows.js";

const NAT = Uint8Array.from([198, 51, 100, 1]);
const OTHER = Uint8Array.from([198, 51, 100, 2]);
const PLAIN = flow(1, 0);
const translatedTo = (dst: Uint8Array): Partial<Flow> => ({
  reply: { ...PLAIN.reply, dst, dstPort: 2000 },
});
const REDIRECTED = { reply: { ...PLAIN.reply, src: OTHER } };
const MASTER = { ...PLAIN.original, protocol: 6 };

/** Whether it stays out in mode tuple, and in the modes that hash the opener. */
const CASES: readonly (readonly [string, Partial<Flow>, boolean, boolean])[] = [
  ["TCP", {}, true, true],
  ["UDP", { protocol: 17 }, true, false],
  [
    "ping",
    { protocol: 1, reply: { ...PLAIN.reply, srcPort: PLAIN.original.srcPort } },
    true,
    false,
  ],
  ["TCP that `nat` translates", translatedTo(NAT), true, true],
  ["TCP that somebody else translates", translatedTo(OTHER), false, false],
  ["TCP that is redirected", REDIRECTED, false, false],
  ["FTP's control connection", { helper: "ftp" }, false, false],
  ["FTP's data connection", { master: MASTER }, false, false],
];

describe("kept out of the kernel", () => {
  test.each(CASES)("%s", (_, own, inTuple, inOthers) => {
    const record = flow(1, 0, own);
    const isOut = (isOpenerHashed: boolean) => isKeptOut({ translated: [NAT] }, isOpenerHashed);
    expect([isOut(false)(record), isOut(true)(record)]).toEqual([inTuple, inOthers]);
  });
});
