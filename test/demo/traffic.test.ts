/** The traffic programs against each other over loopback; no namespace is needed. */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import type { ClientReport, ClientSettings } from "../../src/demo/traffic/client.js";
import { ANSWER, hit } from "../../src/demo/traffic/hit.js";
import { readLines } from "../../src/demo/traffic/lines.js";
import { probe } from "../../src/demo/traffic/probe.js";
import { bootMs } from "../../src/platform/clock.js";

const HOST = "127.0.0.1";
const children: ChildProcess[] = [];
const servers: Server[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  for (const server of servers.splice(0)) server.close();
});

function start(module: string, args: readonly string[]): ChildProcess {
  const file = fileURLToPath(new URL(`../../dist/demo/traffic/${module}`, import.meta.url));
  const child = spawn(process.execPath, [file, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  return child;
}

/** The first message of a type; null when the program ended without one. */
function message<T extends { type: string }>(child: ChildProcess, type: string): Promise<T | null> {
  return new Promise((resolve) => {
    const over = readLines<T>(child.stdout!, (each) => {
      if (each.type === type) resolve(each);
    });
    void over.then(() => resolve(null));
  });
}

async function listen(status: number, body: string, port = 0): Promise<number> {
  const server = createServer((_, response) => response.writeHead(status).end(body));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, HOST, resolve));
  return (server.address() as AddressInfo).port;
}

/** Port 0: the system chooses. */
const from = (port: number, signal = AbortSignal.timeout(5000)) => ({
  host: HOST,
  port,
  localAddress: HOST,
  localPort: 0,
  signal,
});

describe("a hit", () => {
  const cases: [string, number, string, string | null][] = [
    ["succeeds", 200, ANSWER, null],
    ["fails on another status", 503, ANSWER, "status 503"],
    ["fails on another answer", 200, "what", "answer"],
  ];
  test.each(cases)("%s", async (_, status, body, failure) => {
    expect(await hit(from(await listen(status, body)))).toBe(failure);
  });

  test("fails with the errno name where nobody listens", async () => {
    const port = await listen(200, ANSWER);
    await new Promise((resolve) => servers.pop()?.close(resolve));
    expect(await hit(from(port))).toBe("ECONNREFUSED");
  });

  test("fails when its time is over", async () => {
    const server = createServer(() => {});
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
    const { port } = server.address() as AddressInfo;
    expect(await hit(from(port, AbortSignal.timeout(50)))).toBe("timeout");
    server.closeAllConnections();
  });
});

describe("programs", () => {
  test("the client hits the server at its rate and accounts for every hit", async () => {
    const ready = await message<{ type: string; ports: number[] }>(
      start("server.js", ["0", "0"]),
      "ready",
    );
    const settings: ClientSettings = {
      pairs: [
        ["127.0.0.2", HOST],
        ["::1", "::1"],
      ],
      port: ready?.ports[1] as number,
      rate: 200,
      concurrency: 50,
      timeoutMs: 5000,
    };
    const client = start("client.js", [JSON.stringify(settings)]);
    const started = bootMs();
    setTimeout(() => client.stdin?.end(), 700);
    const end = await message<ClientReport>(client, "end");
    const atMost = ((bootMs() - started) * settings.rate) / 1000 + 1;
    expect(end).toMatchObject({ failed: 0, reasons: {} });
    expect(end?.hits).toBeGreaterThan(20);
    expect(end?.hits).toBeLessThanOrEqual(atMost);
    expect(end?.latencyMs.max).toBeGreaterThanOrEqual(end?.latencyMs.p50 as number);
  });

  test("the client tells why hits failed", async () => {
    const port = await listen(500, "");
    const settings = { pairs: [[HOST, HOST]], port, rate: 100, concurrency: 9, timeoutMs: 1000 };
    const client = start("client.js", [JSON.stringify(settings)]);
    setTimeout(() => client.stdin?.end(), 600);
    const end = await message<ClientReport>(client, "end");
    expect(end?.hits).toBe(0);
    expect(end?.failed).toBeGreaterThan(0);
    expect(end?.reasons).toEqual({ "status 500": end?.failed });
  });
});

describe("the probe", () => {
  const order = { host: HOST, localAddress: HOST, everyMs: 5, localPorts: Array(400).fill(0) };

  test("tells when the first connection succeeds", async () => {
    const port = await listen(200, ANSWER);
    await new Promise((resolve) => servers.pop()?.close(resolve));
    const found = probe({ ...order, port, timeoutMs: 5000 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const opened = bootMs();
    await listen(200, ANSWER, port);
    const { at, tried } = await found;
    expect(at).toBeGreaterThanOrEqual(opened);
    expect(tried).toBeGreaterThan(1);
  });

  test("gives up in time", async () => {
    const port = await listen(500, "");
    expect((await probe({ ...order, port, timeoutMs: 60 })).at).toBe(null);
  });
});
