/**
 * Real programs that carry something through a lab for a while, from the client's side. Each is
 * started with a source port, so that it can be aimed at a node, and tells what has arrived.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { ending } from "../../dist/demo/children.js";
import { OUTSIDE } from "../../dist/demo/topology.js";
import { Arrivals, content, Growth, Stream, sha256 } from "./arrivals.mjs";
import { ALONE, listening, PORT, SMALL } from "./servers.mjs";

const TCP = 6;
const UDP = 17;
const ICMP = 1;

const HOST = OUTSIDE.server4;
/** Milliseconds between two pieces, requests or pings. */
const PACE_MS = 20;
/** Connections of wrk. */
const WRK_CONNECTIONS = 12;
/** The very last datagrams of an exchange, one of which must be answered, and within what time. */
const LAST = 5;
const LAST_MS_MAX = 8000;

/** A program with what it said; its standard output is the caller's. */
function start(lab, role, argv) {
  const child = lab.spawn(role, [...ALONE, ...argv]);
  const said = [];
  child.stderr.setEncoding("utf8").on("data", (text) => said.push(text));
  const end = ending(child);
  const closed = new Promise((resolve) => child.once("close", resolve));
  /** "" or how it failed; by then all that it wrote is read. */
  const failure = async () => {
    const { code, signal } = await end;
    await closed;
    return code === 0 ? "" : `${signal ?? `exit ${code}`} ${said.join("").trim()}`;
  };
  return { child, said, failure };
}

/** Writes `content(bytes)` to a program, at an even pace. */
async function feed(writable, { bytes, perSecond }) {
  const step = Math.ceil((perSecond * PACE_MS) / 1000);
  const all = content(bytes);
  for (let at = 0; at < bytes && writable.writable; at += step) {
    writable.write(all.subarray(at, at + step));
    await sleep(PACE_MS);
  }
  writable.end();
}

/** A program whose standard output is the content. */
function streaming(lab, argv, { bytes }) {
  const { child, failure } = start(lab, "client", argv);
  const arrivals = new Stream(child.stdout, bytes);
  const finish = async () => ({ failure: (await failure()) || arrivals.fault() });
  return { child, arrivals, finish };
}

/** A program that makes a file. */
function filing(lab, argv, { bytes }, sizeOf, file) {
  const { child, failure } = start(lab, "client", argv);
  child.stdout.resume();
  const arrivals = new Growth(sizeOf);
  const finish = async () => {
    const failed = await failure();
    arrivals.end();
    if (failed) return { failure: failed };
    const isRight = sha256(readFileSync(file)) === sha256(content(bytes));
    return { failure: isRight ? "" : "other bytes" };
  };
  return { child, arrivals, finish };
}

const sizeOf = (file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

/** What nginx has of a body that still arrives: the only file in its directory. */
function sizeOfBody(directory) {
  try {
    return readdirSync(directory).reduce((sum, name) => sum + sizeOf(join(directory, name)), 0);
  } catch {
    return 0; // Gone between the two calls.
  }
}

/** Answers told line by line: each is counted once, wrong ones make it fail. */
class Answers extends Arrivals {
  numbers = new Set();
  twice = 0;
  wrong = "";

  constructor(readable, numberIn) {
    super();
    createInterface({ input: readable }).on("line", (line) => {
      const number = numberIn(line);
      if (number === null) return;
      if (Number.isNaN(number)) this.wrong ||= line;
      else if (this.numbers.has(number)) this.twice++;
      else {
        this.numbers.add(number);
        this.add(1);
      }
    });
  }

  /** Whether one of the very last requests up to `last` was answered. */
  goesOn(last) {
    return [...this.numbers].some((number) => number > last - LAST);
  }

  /** What became of the requests up to `last`. */
  verdict(last) {
    const lost = last - this.numbers.size;
    const note = `${lost} of ${last} unanswered${this.twice ? `, ${this.twice} twice` : ""}`;
    if (this.wrong) return { failure: `wrong answer: ${this.wrong}`, note };
    return { failure: this.goesOn(last) ? "" : `no answer at the end, ${note}`, note };
  }
}

const sshOptions = (directory) =>
  [
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "LogLevel=ERROR",
    "BatchMode=yes",
    `IdentityFile=${directory}/user_key`,
  ].flatMap((each) => ["-o", each]);

const curl = (lab, port, plan, url) =>
  streaming(lab, ["curl", "-sS", "-N", "--local-port", String(port), url], plan);

const wrkScript = `
wrong = 0
local threads = {}
function setup(thread) table.insert(threads, thread) end
function delay() return ${PACE_MS} end
function response(status, headers, body)
  if status ~= 200 or body ~= ${JSON.stringify(SMALL)} then wrong = wrong + 1 end
end
function done(summary, latency)
  local errors, wrong = summary.errors, 0
  for _, thread in ipairs(threads) do wrong = wrong + thread:get("wrong") end
  local failed = errors.connect + errors.read + errors.write + errors.timeout + errors.status
  io.write(string.format('\\n{"requests":%d,"failed":%d,"wrong":%d,"maxMs":%f}\\n',
    summary.requests, failed, wrong, latency.max / 1000))
end
`;

/**
 * By name: its protocol and destination port; `ports` where it cannot choose its source ports: so
 * many from a given one are then all that the client's kernel has.
 */
export const PROGRAMS = {
  "curl download": {
    protocol: TCP,
    port: PORT.nginx,
    start: (lab, port, plan) => curl(lab, port, plan, `http://${HOST}:${PORT.nginx}/payload`),
  },
  "curl upload": {
    protocol: TCP,
    port: PORT.nginx,
    start(lab, port, plan) {
      const { directory } = lab;
      const name = `upload-${port}`;
      const url = `http://${HOST}:${PORT.nginx}/up/${name}`;
      const argv = ["curl", "-sS", "--local-port", String(port), "-T", "-", url];
      const size = () => sizeOfBody(join(directory, "body"));
      const file = join(directory, "www", "up", name);
      const { child, ...rest } = filing(lab, argv, plan, size, file);
      void feed(child.stdin, plan);
      return rest;
    },
  },
  haproxy: {
    protocol: TCP,
    port: PORT.haproxy,
    start: (lab, port, plan) => curl(lab, port, plan, `http://${HOST}:${PORT.haproxy}/payload`),
  },
  wrk: {
    protocol: TCP,
    port: PORT.nginx,
    // One more is opened first, to see whether anybody listens; and the kernel takes an even number.
    ports: WRK_CONNECTIONS + 2,
    connections: WRK_CONNECTIONS,
    start(lab, port, { bytes, perSecond }) {
      const script = join(lab.directory, `wrk-${port}.lua`);
      writeFileSync(script, wrkScript);
      const seconds = String(Math.ceil(bytes / perSecond));
      const load = ["-t", "1", "-c", String(WRK_CONNECTIONS), "-d", seconds, "--timeout", "8s"];
      const url = `http://${HOST}:${PORT.nginx}/small`;
      const { child, failure } = start(lab, "client", ["wrk", ...load, "-s", script, url]);
      const arrivals = new Arrivals();
      arrivals.begin();
      let told = "";
      child.stdout.setEncoding("utf8").on("data", (text) => {
        told += text;
      });
      const finish = async () => {
        const failed = await failure();
        const report = JSON.parse(told.trim().split("\n").at(-1) || "{}");
        arrivals.stallMs = report.maxMs;
        const isRight = report.failed === 0 && report.wrong === 0 && report.requests > 0;
        return {
          failure: failed || (isRight ? "" : `${report.failed} failed, ${report.wrong} wrong`),
          note: `${report.requests} requests on ${WRK_CONNECTIONS} connections`,
        };
      };
      return { arrivals, finish };
    },
  },
  ssh: {
    protocol: TCP,
    port: PORT.ssh,
    ports: 1,
    start(lab, _, plan) {
      const options = ["-p", String(PORT.ssh), ...sshOptions(lab.directory)];
      const argv = ["ssh", "-F", "none", "-T", ...options, `root@${HOST}`, "cat"];
      const { child, ...rest } = streaming(lab, argv, plan);
      void feed(child.stdin, plan);
      return rest;
    },
  },
  scp: {
    protocol: TCP,
    port: PORT.ssh,
    ports: 1,
    start(lab, port, plan) {
      const { directory } = lab;
      const file = join(directory, `scp-${port}`);
      const kilobits = String(Math.round((plan.perSecond * 8) / 1000));
      // The limit works on whole buffers: small ones, or it would pause for seconds.
      const pace = ["-l", kilobits, "-X", "buffer=4096", "-X", "nrequests=2"];
      const options = ["-P", String(PORT.ssh), ...pace, ...sshOptions(directory)];
      const source = `root@${HOST}:${join(directory, "www", "payload")}`;
      const argv = ["scp", "-F", "none", "-q", ...options, source, file];
      return filing(lab, argv, plan, () => sizeOf(file), file);
    },
  },
  openssl: {
    protocol: TCP,
    port: PORT.tls,
    async start(lab, port, plan) {
      const files = [
        "-cert",
        join(lab.directory, "tls.crt"),
        "-key",
        join(lab.directory, "tls.key"),
      ];
      // Without -nbio it may wait for data of the client, and no longer send what it is given.
      const listen = ["-quiet", "-nbio", "-accept", String(PORT.tls), "-naccept", "1"];
      const server = start(lab, "server", ["openssl", "s_server", ...files, ...listen]);
      server.child.stdout.resume();
      await listening(lab, [PORT.tls]);
      const to = ["-connect", `${HOST}:${PORT.tls}`, "-bind", `192.168.0.2:${port}`];
      const client = start(lab, "client", ["openssl", "s_client", "-quiet", ...to]);
      const arrivals = new Stream(client.child.stdout, plan.bytes);
      void feed(server.child.stdin, plan);
      const finish = async () => {
        await Promise.race([arrivals.whole, client.failure(), server.failure()]);
        for (const { child } of [client, server]) child.kill("SIGKILL");
        const fault = arrivals.fault();
        return { failure: fault && `${fault} ${client.said.join("")}${server.said.join("")}` };
      };
      return { arrivals, finish };
    },
  },
  ping: {
    protocol: ICMP,
    port: null,
    start(lab, port, { bytes, perSecond }) {
      const count = Math.ceil((bytes / perSecond) * (1000 / PACE_MS));
      const pace = ["-i", String(PACE_MS / 1000), "-c", String(count), "-W", "1"];
      const argv = ["ping", "-n", ...pace, "-e", String(port), "-p", "5a17c3", HOST];
      const { child, failure } = start(lab, "client", argv);
      const arrivals = new Answers(child.stdout, (line) => {
        if (line.includes("wrong data byte")) return Number.NaN;
        return line.includes("icmp_seq=") ? Number(/icmp_seq=(\d+)/.exec(line)[1]) : null;
      });
      const finish = async () => {
        await failure(); // It fails when a reply is missing, which some are.
        return arrivals.verdict(count);
      };
      return { arrivals, finish };
    },
  },
  udp: {
    protocol: UDP,
    port: PORT.udp,
    start(lab, port, { bytes, perSecond }) {
      const count = Math.ceil((bytes / perSecond) * (1000 / PACE_MS));
      const to = `UDP4:${HOST}:${PORT.udp},sourceport=${port}`;
      const { child } = start(lab, "client", ["socat", "-", to]);
      const arrivals = new Answers(child.stdout, (line) =>
        Number(/^request (\d+)$/.exec(line)?.[1]),
      );
      const ask = async () => {
        for (let number = 1; number <= count; number++) {
          child.stdin.write(`request ${number}\n`);
          await sleep(PACE_MS);
        }
        for (let ms = 0; ms < LAST_MS_MAX && !arrivals.goesOn(count); ms += PACE_MS) {
          await sleep(PACE_MS);
        }
        child.kill("SIGKILL");
      };
      const asked = ask();
      const finish = async () => {
        await asked;
        return arrivals.verdict(count);
      };
      return { arrivals, finish };
    },
  },
};
