/** What a client can do to the server that the API socket and the metrics port have in common. */
import { once } from "node:events";
import type { Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import {
  type Answer,
  type Answerer,
  boundedServer,
  closed,
  listening,
} from "../../src/api/http.js";
import { openMetrics } from "../../src/api/metrics.js";
import { API_REQUESTS_MAX } from "../../src/config/limits.js";
import { STATUS } from "./example.js";

const LOCAL = { address: "127.0.0.1", family: 4, port: 0 } as const;
const ASKED = "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n";
const LAST = "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
const text = (body: string): Answer => ({ status: 200, type: "text/plain", body });

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A server with `answer` behind it, and a client. */
async function open(answer: Answerer): Promise<{ server: Server; client: Socket }> {
  const server = boundedServer(answer);
  await listening(server, () => server.listen(LOCAL.port, LOCAL.address));
  closing.push(() => closed(server));
  return { server, client: dial((server.address() as AddressInfo).port) };
}

function dial(port: number): Socket {
  const client = connect(port, LOCAL.address).on("error", () => {});
  closing.push(() => client.destroy());
  return client;
}

/** All that comes for `requests`, until the server closes. */
async function ask(client: Socket, requests: string): Promise<string> {
  const parts: Buffer[] = [];
  client.on("data", (part: Buffer) => parts.push(part)).write(requests);
  await once(client, "close");
  return Buffer.concat(parts).toString("latin1");
}

const answers = (page: string, status: number) => page.split(`HTTP/1.1 ${status} `).length - 1;

test("of thousands of requests in one write a bounded number is answered", async () => {
  let made = 0;
  const { client } = await open(() => {
    made += 1;
    return text("page");
  });
  const page = await ask(client, ASKED.repeat(2000) + LAST);
  expect([answers(page, 200), made]).toEqual([API_REQUESTS_MAX, API_REQUESTS_MAX]);
  expect(answers(page, 503)).toBeGreaterThan(0);
});

test("requests that come at once begin in turns of their own, so timers go on", async () => {
  let turn = 0;
  const count = () => {
    turn += 1;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  closing.push(() => clearImmediate(next));
  const turns: number[] = [];
  const { client } = await open(() => {
    turns.push(turn);
    return text("page");
  });
  await ask(client, ASKED.repeat(API_REQUESTS_MAX - 1) + LAST);
  expect(turns.length).toBe(API_REQUESTS_MAX);
  expect(new Set(turns).size).toBe(turns.length);
});

test("who asks and reads nothing is let go", async () => {
  const { server, client } = await open(() => text("x".repeat(64 << 20)));
  client.pause().write(ASKED);
  const [held] = (await once(server, "connection")) as [Socket];
  await once(held, "close");
}, 60_000);

test("a page of metrics is made once, however many ask at the same time", async () => {
  let made = 0;
  const server = await openMetrics(LOCAL, async () => {
    made += 1;
    return STATUS;
  });
  closing.push(() => server.close());
  const clients = Array.from({ length: 8 }, () => dial(server.port));
  const began = performance.now();
  const pages = await Promise.all(clients.map((client) => ask(client, ASKED.repeat(20) + LAST)));
  for (const page of pages) expect(answers(page, 200)).toBe(21);
  // One page for each 200 ms that it took, however slow the machine is.
  expect(made).toBeLessThanOrEqual(1 + Math.ceil((performance.now() - began) / 200));
});

test("a page that could not be made is not served, and made anew by the next", async () => {
  let isBroken = true;
  const server = await openMetrics(LOCAL, async () => {
    if (isBroken) throw new Error("no memory");
    return STATUS;
  });
  closing.push(() => server.close());
  expect(answers(await ask(dial(server.port), LAST), 500)).toBe(1);
  isBroken = false;
  expect(answers(await ask(dial(server.port), LAST), 200)).toBe(1);
});
