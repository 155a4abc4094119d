/**
 * The API socket and the metrics port: raw bytes from clients that are in no hurry, or hang up, or
 * say the same many times. Whatever comes, each answer is HTTP, nothing is done that nobody asked
 * for, and the next client is served. The server is a process of its own, so that its end is a
 * finding like any other.
 *
 *     input   0 manner, see MANNER
 *             1 low five bits: how often the bytes are sent, less one
 *             2.. the bytes
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate, setTimeout } from "node:timers/promises";
import { API_CONNECTIONS_MAX, API_REQUEST_MS_MAX } from "../../../src/config/limits.js";
import { behaviour, check, newInput, type Target } from "../target.js";

const SERVER = new URL("../http-server.js", import.meta.url);
const BYTES_AT = 2;
const MANNER = { AT_ONCE: 0, IN_PIECES: 1, HANGS_UP: 2, NEVER_ENDS: 3 } as const;
const TIMES_MASK = 0x1f;
/** In so many pieces, each in a turn of its own, so that the server mostly sees them apart. */
const PIECES = 8;
/** Clients that never end: they leave room for others, for what the bound does is tested apart. */
const LINGERING_MAX = API_CONNECTIONS_MAX / 2;
/** Inputs between two looks at whether a well-behaved client is still served. */
const EPISODE = 64;
const TRY_AGAIN_MS = 20;

const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: x\r\n`;

/** What one of the two servers is. */
interface Kind {
  readonly name: string;
  /** The path that is asked in the seeds, and by the good client. */
  readonly path: string;
  readonly seeds: readonly string[];
  /** What is answered with 200 has this in it. */
  readonly serves: RegExp;
  /** What is counted has this in it. */
  readonly asks: RegExp;
  /** How often something was done, by what the good client was told. */
  readonly done: (body: string) => number;
  /** How much of that the good client's own request adds at most. */
  readonly byLook: number;
}

const CHUNKED = "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";

const API: Kind = {
  name: "api",
  path: "/v1/status",
  seeds: [
    "POST /v1/drain HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}",
    `POST /v1/join HTTP/1.1\r\nhost: x\r\n${CHUNKED}`,
    `${get("/v1/flows")}\r\n${get("/v1/events")}\r\n`,
  ],
  serves: /GET|POST/,
  asks: /POST/g,
  done: (body) => JSON.parse(body).uptimeMs,
  byLook: 0,
};

const METRICS: Kind = {
  name: "metrics",
  path: "/metrics",
  seeds: [
    `${get("/metrics")}accept: application/openmetrics-text\r\naccept-encoding: gzip\r\n\r\n`,
    `POST /metrics HTTP/1.1\r\nhost: x\r\n${CHUNKED}`,
    `${get("http://x/metrics?name[]=up#a")}\r\n${get("/v1/status")}\r\n`,
  ],
  serves: /GET/,
  asks: /GET/g,
  done: (body) => Number(/^shardwall_uptime_seconds\S* (\d+)$/m.exec(body)?.[1]),
  byLook: 1,
};

/** Broken, huge and endless requests that every HTTP server meets. */
const common = (path: string): string[] => [
  `${get(path)}connection: close\r\n\r\n`,
  `${get(path)}\r\n`,
  `GET ${path}${"a".repeat(9000)} HTTP/1.1\r\n\r\n`,
  `${get(path)}x: ${"b".repeat(9000)}\r\n\r\n`,
  `${get(path)}upgrade: websocket\r\nconnection: upgrade\r\n\r\n`,
  `${get(path)}content-length: 99999999999\r\n\r\nhello`,
  `${get(path)}transfer-encoding: chunked\r\n\r\nffffff\r\nhello`,
  `${get(path)}expect: 100-continue\r\ncontent-length: 5\r\n\r\nhello`,
  `${get(path)}x: 1\r\n y\r\n\r\n`,
  `CONNECT ${path} HTTP/1.1\r\n\r\n`,
  `GET ${path} HTTP/1.0\r\n\r\n`,
];

class HttpTarget implements Target {
  readonly name: string;
  readonly episode = EPISODE;
  readonly input = newInput(16_384);
  private readonly directory = mkdtempSync(join(tmpdir(), "shardwall-fuzz-"));
  private server: ChildProcess | null = null;
  private at: NetConnectOpts = { path: "" };
  /** What clients asked for in so many words, at most. */
  private asked = 0;
  private tried = 0;
  private lingering: Socket[] = [];

  constructor(private readonly kind: Kind) {
    this.name = kind.name;
  }

  seeds(): Uint8Array[] {
    const texts = [...common(this.kind.path), ...this.kind.seeds];
    return texts.flatMap((text) =>
      Object.values(MANNER).map((manner) => Buffer.from(`\0\0${text}`).fill(manner, 0, 1)),
    );
  }

  reset(): void {
    for (const socket of this.lingering.splice(0)) hangUp(socket);
  }

  async run(length: number): Promise<number> {
    if (this.server === null) await this.start();
    const [manner = 0, times = 0] = this.input;
    const once = Buffer.from(this.input.slice(BYTES_AT, Math.max(BYTES_AT, length)));
    const bytes = Buffer.concat(new Array<Buffer>((times & TIMES_MASK) + 1).fill(once));
    const text = bytes.toString("latin1");
    this.asked += text.match(this.kind.asks)?.length ?? 0;
    const answer = await this.send(bytes, manner & 3);
    check(this.server?.exitCode === null, "the server ended");
    check(answer === "" || answer.startsWith("HTTP/1.1 "), `answered ${answer.slice(0, 40)}`);
    const isServed = answer.includes("HTTP/1.1 200 ");
    check(!isServed || this.kind.serves.test(text), "served without being asked");
    if (++this.tried % EPISODE === 0) await this.look();
    return behaviour(Number(answer.slice(9, 12)), Math.clz32(answer.length), manner & 3);
  }

  async close(): Promise<void> {
    this.reset();
    this.server?.kill("SIGKILL");
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async start(): Promise<void> {
    const path = this.kind === API ? [join(this.directory, "run", "api.sock")] : [];
    this.server = fork(SERVER, path);
    const [at] = await once(this.server, "message");
    this.at = typeof at === "number" ? { port: at, host: "127.0.0.1" } : { path: at };
  }

  /** A good client is served, and nothing was done that nobody asked for. */
  private async look(): Promise<void> {
    const request = Buffer.from(`${get(this.kind.path)}connection: close\r\n\r\n`);
    let good = "";
    // Clients that have just hung up may still be counted as connections.
    for (let left = API_REQUEST_MS_MAX / TRY_AGAIN_MS; good === "" && left > 0; left--) {
      good = await this.send(request, MANNER.AT_ONCE);
      this.asked += this.kind.byLook;
      if (good === "") await setTimeout(TRY_AGAIN_MS);
    }
    check(good.startsWith("HTTP/1.1 200"), "a good client is no longer served");
    const done = this.kind.done(good.slice(good.indexOf("\r\n\r\n") + 4));
    check(done <= this.asked, `done ${done} times, asked for ${this.asked} times`);
  }

  /** What comes back for `bytes`: all of it from a client that waits, else nothing. */
  private async send(bytes: Buffer, manner: number): Promise<string> {
    const socket = connect({ ...this.at, noDelay: true } as NetConnectOpts);
    let answer = "";
    socket.setEncoding("latin1").on("data", (part: string) => {
      answer += part;
    });
    const ended = new Promise((resolve) => {
      socket.on("error", () => {}).on("close", resolve);
    });
    if (manner === MANNER.NEVER_ENDS) this.linger(socket, bytes);
    else if (manner === MANNER.HANGS_UP) socket.write(bytes, () => hangUp(socket));
    else if (manner === MANNER.IN_PIECES) await write(socket, bytes);
    else socket.end(bytes);
    if (manner !== MANNER.NEVER_ENDS) await ended;
    return answer;
  }

  private linger(socket: Socket, bytes: Buffer): void {
    socket.write(bytes);
    this.lingering.push(socket);
    if (this.lingering.length > LINGERING_MAX) hangUp(this.lingering.shift() as Socket);
  }
}

/** With a reset, where there is such a thing. */
function hangUp(socket: Socket): void {
  if (socket.remoteAddress === undefined) socket.destroy();
  else socket.resetAndDestroy();
}

async function write(socket: Socket, bytes: Buffer): Promise<void> {
  const size = Math.ceil(bytes.length / PIECES);
  for (let at = 0; at < bytes.length && !socket.destroyed; at += size) {
    socket.write(bytes.subarray(at, at + size));
    await setImmediate();
  }
  socket.end();
}

export const apiTarget = (): Target => new HttpTarget(API);
export const metricsTarget = (): Target => new HttpTarget(METRICS);
