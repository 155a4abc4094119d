/** A bounded HTTP server: what the API socket and the metrics port have in common. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setImmediate } from "node:timers/promises";
import {
  API_CONNECTIONS_MAX,
  API_HEADER_BYTES_MAX,
  API_REQUEST_BYTES_MAX,
  API_REQUEST_MS_MAX,
  API_REQUESTS_MAX,
  API_STREAM_MS_MAX,
} from "../config/limits.js";

export interface Answer {
  readonly status: number;
  readonly type: string;
  /** Chunks are taken as fast as the client reads. */
  readonly body: string | AsyncIterable<string>;
  readonly allow?: string;
}

export type Answerer = (method: string, path: string, client: Socket) => Answer | Promise<Answer>;

/** An answer of JSON lines that is made while it is sent. */
export function jsonLines(body: AsyncIterable<string>): Answer {
  return { status: 200, type: "application/x-ndjson", body };
}

/** A JSON answer, one line and a newline, so that it reads well in a terminal too. */
export function json(status: number, value: unknown, allow?: string): Answer {
  const answer = { status, type: "application/json", body: `${JSON.stringify(value)}\n` };
  return allow === undefined ? answer : { ...answer, allow };
}

/**
 * Lets one request begin in each turn of the event loop. A client may send thousands in one write:
 * answered in one turn they would hold up the timers of the thread, and with them the node.
 */
class Turns {
  private last: Promise<void> = Promise.resolve();

  next(): Promise<void> {
    this.last = this.last.then(() => setImmediate());
    return this.last;
  }
}

/** A server that answers each request with what `answer` says; not yet listening. */
export function boundedServer(answer: Answerer): Server {
  const turns = new Turns();
  const server = createServer(
    {
      maxHeaderSize: API_HEADER_BYTES_MAX,
      headersTimeout: API_REQUEST_MS_MAX,
      requestTimeout: API_REQUEST_MS_MAX,
      // Node looks for late requests at this interval; its own default is half a minute.
      connectionsCheckingInterval: API_REQUEST_MS_MAX / 5,
      keepAliveTimeout: API_REQUEST_MS_MAX,
    },
    (request, response) => void serve(request, response, answer, turns),
  );
  server.maxConnections = API_CONNECTIONS_MAX;
  server.maxRequestsPerSocket = API_REQUESTS_MAX;
  return server;
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answerer,
  turns: Turns,
): Promise<void> {
  response.on("error", () => request.destroy());
  if (!(await drainBody(request))) {
    send(response, json(413, { error: `more than ${API_REQUEST_BYTES_MAX} bytes` }), true);
    return;
  }
  await turns.next();
  if (request.socket.destroyed) return; // nobody reads the answer
  const path = (request.url ?? "/").split("?")[0] as string;
  try {
    send(response, await answer(request.method ?? "GET", path, request.socket), false);
  } catch (error) {
    send(response, json(500, { error: (error as Error).message }), false);
  }
}

/** Reads and forgets the body (no request needs one). False once it is longer than the bound. */
async function drainBody(request: IncomingMessage): Promise<boolean> {
  let bytes = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).length;
      if (bytes > API_REQUEST_BYTES_MAX) return false;
    }
  } catch {
    return true; // The client went away: nobody reads the answer either.
  }
  return true;
}

function send(response: ServerResponse, answer: Answer, close: boolean): void {
  const { status, type, body, allow } = answer;
  response.writeHead(status, {
    "content-type": type,
    ...(typeof body === "string" ? { "content-length": Buffer.byteLength(body) } : {}),
    "cache-control": "no-store",
    ...(allow === undefined ? {} : { allow }),
    ...(close ? { connection: "close" } : {}),
  });
  // Who reads nothing for so long holds one of few connections.
  const patienceMs = typeof body === "string" ? API_REQUEST_MS_MAX : API_STREAM_MS_MAX;
  response.setTimeout(patienceMs, () => response.destroy());
  if (typeof body === "string") response.end(body);
  else void stream(response, body);
}

/**
 * A client that reads nothing for long, and a source that fails, both end the connection in the
 * middle: the client notices, since the last chunk is missing.
 */
async function stream(response: ServerResponse, chunks: AsyncIterable<string>): Promise<void> {
  try {
    await pipeline(Readable.from(chunks, { highWaterMark: 1 }), response);
  } catch {
    response.destroy();
  }
}

/** Resolves once the server listens, rejects with the error that prevented it. */
export function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      resolve();
    });
    listen();
  });
}

/** Stops listening and ends open connections. */
export function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
