/**
 * The API socket: raw bytes from a client that may hang up in the middle. Whatever comes, each
 * answer is HTTP, a change needs a POST that names it, and the next client is served. The server is
 * a process of its own, so that its end is a finding like any other.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { behaviour, check, newInput, type Target } from "../target.js";

const SERVER = new URL("../api-server.js", import.meta.url);
const CHANGE = /POST\s+\S*(drain|join)/;
const GOOD = "GET /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
/** Inputs between two looks at whether a well-behaved client is still served. */
const LOOK_EACH = 64;

export class ApiTarget implements Target {
  readonly name = "api";
  readonly episode = 1;
  readonly input = newInput(16_384);
  private readonly directory = mkdtempSync(join(tmpdir(), "shardwall-fuzz-"));
  private readonly path = join(this.directory, "run", "api.sock");
  private server: ChildProcess | null = null;
  /** Changes that a client asked for in so many words, at most. */
  private asked = 0;
  private tried = 0;

  seeds(): Uint8Array[] {
    const chunked = "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    return [
      GOOD,
      "POST /v1/drain HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}",
      `POST /v1/join HTTP/1.1\r\nhost: x\r\n${chunked}`,
      "GET /v1/flows HTTP/1.1\r\nhost: x\r\n\r\nGET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n",
      `GET /${"a".repeat(9000)} HTTP/1.1\r\n\r\n`,
      "GET /v1/nodes HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    ].map((text) => Uint8Array.from(Buffer.from(text)));
  }

  reset(): void {}

  async run(length: number): Promise<number> {
    if (this.server === null) await this.start();
    const bytes = Buffer.from(this.input.slice(0, length));
    const answer = await this.ask(bytes);
    check(this.server?.exitCode === null, "the server ended");
    check(answer === "" || answer.startsWith("HTTP/1.1 "), `answered ${answer.slice(0, 40)}`);
    const isChange = CHANGE.test(bytes.toString("latin1"));
    this.asked += isChange ? bytes.toString("latin1").split("POST").length - 1 : 0;
    if (++this.tried % LOOK_EACH === 0) await this.look();
    return behaviour(Number(answer.slice(9, 12)), Math.clz32(answer.length), isChange ? 1 : 0);
  }

  async close(): Promise<void> {
    this.server?.kill("SIGKILL");
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async start(): Promise<void> {
    this.server = fork(SERVER, [this.path]);
    await once(this.server, "message");
  }

  /** A good client is served, and the node was changed by nobody who did not say so. */
  private async look(): Promise<void> {
    const good = await this.ask(Buffer.from(GOOD));
    check(good.startsWith("HTTP/1.1 200"), "a good client is no longer served");
    const { uptimeMs } = JSON.parse(good.slice(good.indexOf("\r\n\r\n")));
    check(uptimeMs <= this.asked, `${uptimeMs} changes, ${this.asked} were asked for`);
  }

  /** What comes back for `bytes` from a client that says no more. */
  private ask(bytes: Buffer): Promise<string> {
    return new Promise((resolve) => {
      const socket = createConnection(this.path);
      let answer = "";
      socket.setEncoding("latin1").on("data", (part: string) => {
        answer += part;
      });
      socket.on("error", () => {}).on("close", () => resolve(answer));
      socket.end(bytes);
    });
  }
}
