/** `shardwall flows` against a socket with flows of our own making. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type FlowReport, flowReport, withReplication } from "../../src/api/flow-report.js";
import { type ApiServer, openApi, Refusal } from "../../src/api/server.js";
import { flows, flowText } from "../../src/cli/flows.js";
import { type FlowRecord, newFlow } from "../../src/kernel/conntrack/record.js";
import { inverseOf } from "../../src/kernel/conntrack/tuple.js";
import { STATUS } from "../api/example.js";

const ASSURED = 0xe;

function flowOf(ends: object, fields: object): FlowRecord {
  const flow = Object.assign(newFlow(), { timeoutS: 30, mark: 0x50000 }, fields);
  Object.assign(flow.original, { family: 4 }, ends);
  flow.original.src.set([10, 0, 0, 1]);
  flow.original.dst.set([192, 0, 2, 1]);
  return { ...flow, reply: inverseOf(flow.original) };
}

const TCP = flowOf(
  { protocol: 6, srcPort: 40000, dstPort: 80 },
  { status: ASSURED, state: 3, timeoutS: 431999, helper: "ftp" },
);
const PING = flowOf({ protocol: 1, icmpType: 8, icmpId: 77 }, { status: 8, zone: 4 });

describe("a line", () => {
  test("of an established TCP flow", () => {
    expect(flowText(flowReport(TCP, 4, 2))).toBe(
      "tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=192.0.2.1 sport=40000 dport=80 " +
        "src=192.0.2.1 dst=10.0.0.1 sport=80 dport=40000 [ASSURED] mark=327680 helper=ftp " +
        `bucket=4 owner=2 peers=none community-id=${flowReport(TCP, 4, 2).communityId}`,
    );
  });

  test("of an unanswered ping whose bucket nobody owns", () => {
    const text = flowText(flowReport(PING, null, null));
    expect(text.replace(/1:.{27}=$/, "ID")).toBe(
      "icmp     1 30 src=10.0.0.1 dst=192.0.2.1 type=8 code=0 id=77 [UNREPLIED] " +
        "src=192.0.2.1 dst=10.0.0.1 type=0 code=0 id=77 mark=327680 zone=4 " +
        "bucket=unknown owner=none peers=none community-id=ID",
    );
  });

  test.each([
    ["age=12 peers=1,3", { ageMs: 12_999, role: "own", peers: [1, 3], isInKernel: true }],
    ["age=0 peers=none", { ageMs: 100, role: "young", peers: [], isInKernel: true }],
    ["age=60 [REPLICA]", { ageMs: 60_000, role: "replica", peers: [], isInKernel: true }],
    ["age=0 [COLD REPLICA]", { ageMs: 9, role: "replica", peers: [], isInKernel: false }],
  ] as const)("tells who has the flow: %s", (words, replication) => {
    const text = flowText(withReplication(flowReport(TCP, 4, 2), replication));
    expect(text).toContain(` owner=2 ${words} community-id=`);
  });

  test("of a protocol or state without a name keeps its number", () => {
    const strange = flowOf({ protocol: 222 }, {});
    expect(flowText(flowReport(strange, 4, 2))).toMatch(/^unknown {2}222 30 src=/);
    expect(flowReport({ ...TCP, state: 99 }, 4, 2).state).toBe("STATE_99");
  });
});

let directory = "";
let socket = "";
let out = "";
let server: ApiServer;
let source: () => AsyncIterable<string>;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "shardwall-flows-"));
  socket = join(directory, "node.sock");
  const nothing = async () => {};
  server = await openApi(socket, {
    status: async () => STATUS,
    flows: async () => source(),
    events: () => source(),
    drain: nothing,
    join: nothing,
    resync: nothing,
  });
  out = "";
  stdout((text) => {
    out += text;
    return undefined;
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await server.close();
  rmSync(directory, { recursive: true });
});

/** Puts `take` in the place of standard output; an error it returns is that of the write. */
function stdout(take: (text: string) => Error | undefined): void {
  const write = (text: string, done: (error?: Error) => void) => {
    done(take(text));
    return true;
  };
  vi.spyOn(process.stdout, "write").mockImplementation(write as typeof process.stdout.write);
}

const line = (flow: FlowRecord) => `${JSON.stringify(flowReport(flow, 4, 2))}\n`;

describe("the command", () => {
  test("prints a line a flow, whatever the chunks they come in", async () => {
    source = async function* () {
      const all = line(TCP) + line(PING);
      yield all.slice(0, 100);
      yield all.slice(100, 700);
      yield all.slice(700);
    };
    await flows({ socket });
    const expected = [TCP, PING].map((flow) => `${flowText(flowReport(flow, 4, 2))}\n`);
    expect(out).toBe(expected.join(""));
  });

  test("with --json prints one object a line", async () => {
    source = async function* () {
      yield line(TCP);
      yield line(PING);
    };
    await flows({ socket, json: true });
    const shown = out
      .trim()
      .split("\n")
      .map((text) => JSON.parse(text) as FlowReport);
    expect(shown).toEqual([flowReport(TCP, 4, 2), flowReport(PING, 4, 2)]);
    expect(shown[1]?.original).toEqual({
      src: "10.0.0.1",
      dst: "192.0.2.1",
      type: 8,
      code: 0,
      id: 77,
    });
  });

  test("prints nothing where there is nothing", async () => {
    source = async function* () {};
    await flows({ socket });
    expect(out).toBe("");
  });

  test("fails when the answer breaks off, after what came before", async () => {
    source = async function* () {
      yield line(TCP);
      await new Promise((resolve) => setTimeout(resolve, 50));
      throw new Error("the kernel said no");
    };
    await expect(flows({ socket })).rejects.toMatchObject({
      exitCode: 1,
      message: expect.stringContaining("/v1/flows: the answer broke off"),
    });
    expect(out.split("\n")).toHaveLength(2);
  });

  test("tells a refusal as the node says it", async () => {
    source = () => {
      throw new Refusal("the node is still starting");
    };
    await expect(flows({ socket })).rejects.toThrow("/v1/flows: the node is still starting");
  });

  test("fails on a line without end", async () => {
    source = async function* () {
      for (;;) yield "x".repeat(10_000);
    };
    await expect(flows({ socket })).rejects.toThrow("a line of the answer is too long");
  });

  test("that stops early stops the node from reading on", async () => {
    let made = 0;
    let isEnded = false;
    source = async function* () {
      try {
        for (; made < 100_000; made++) yield line(TCP).repeat(50);
      } finally {
        isEnded = true;
      }
    };
    stdout(() => new Error("EPIPE"));
    await flows({ socket });
    await expect.poll(() => isEnded, { timeout: 5000 }).toBe(true);
    expect(made).toBeLessThan(1000);
  });

  test("whose reader is gone ends well", async () => {
    source = async function* () {
      for (let chunk = 0; chunk < 1000; chunk++) yield line(TCP).repeat(50);
    };
    const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
    const child = spawn(process.execPath, [main, "flows", "--socket", socket]);
    let complaint = "";
    child.stderr.on("data", (text) => {
      complaint += text;
    });
    child.stdout.once("data", () => child.stdout.destroy());
    const [code] = await once(child, "close");
    expect([code, complaint]).toEqual([0, ""]);
  });
});
