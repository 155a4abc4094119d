/**
 * The API on a unix socket. Reading is GET, changing is POST; who may connect is the file system's
 * decision: the socket is 0600 from the moment it exists, in a directory made 0700. Where somebody
 * has opened it to others, they may read; to change is for root and the node's own user.
 */
import { lstatSync, mkdirSync, statSync, unlinkSync } from "node:fs";
import type { Server } from "node:http";
import { connect, type Socket } from "node:net";
import { dirname } from "node:path";
import { peerUser } from "../platform/peer.js";
import { type Answer, boundedServer, closed, json, jsonLines, listening } from "./http.js";
import { nodesOf, rangesOf, type StatusReport } from "./report.js";

const ROOT = 0;

/** A verb that the node refuses in its present state: answered with 409 and the message. */
export class Refusal extends Error {}

/** The socket cannot be made; `exitCode` as the command that wanted it exits. */
export class SocketError extends Error {
  readonly exitCode: 1 | 3;

  constructor(path: string, message: string, exitCode: 1 | 3 = 1) {
    super(`${path}: ${message}`);
    this.name = "SocketError";
    this.exitCode = exitCode;
  }
}

export interface ApiHandlers {
  /** Rejects with `Refusal` where it cannot tell yet. */
  status(): Promise<StatusReport>;
  /** Flows of the cluster in the kernel's table: `FlowReport` as JSON, one a line, in chunks. */
  flows(): Promise<AsyncIterable<string>>;
  /** The last events as JSON lines, oldest first. */
  events(): AsyncIterable<string>;
  /** Resolves once the node has begun to drain. Rejects with `Refusal` where it cannot. */
  drain(): Promise<void>;
  /** Resolves once the node has begun to join. Rejects with `Refusal` where it cannot. */
  join(): Promise<void>;
  /** Resolves once the node has begun to resync, and its status says so. */
  resync(): Promise<void>;
}

export interface ApiServer {
  readonly path: string;
  close(): Promise<void>;
}

/**
 * Opens the socket and answers on it. Called on the main thread: only there has a process a umask.
 * @throws SocketError where another node answers on it, or the path cannot be used
 */
export async function openApi(path: string, handlers: ApiHandlers): Promise<ApiServer> {
  const server = boundedServer((method, target, client) => route(handlers, method, target, client));
  prepareDirectory(dirname(path));
  try {
    await listenPrivately(server, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw socketError(path, error);
    await removeStale(path);
    await listenPrivately(server, path).catch((again) => {
      throw socketError(path, again);
    });
  }
  return { path, close: () => closed(server) };
}

function listenPrivately(server: Server, path: string): Promise<void> {
  return listening(server, () => {
    // bind() happens inside listen(), before it returns: no moment at which others may connect.
    const before = process.umask(0o177);
    try {
      server.listen(path);
    } finally {
      process.umask(before);
    }
  });
}

function prepareDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const mode = statSync(directory).mode;
    // In a directory others write to, they could put their own socket in place of ours.
    if ((mode & 0o022) !== 0 && (mode & 0o1000) === 0) {
      throw new SocketError(directory, `others may write to it; fix: chmod go-w ${directory}`, 3);
    }
  } catch (error) {
    if (error instanceof SocketError) throw error;
    throw socketError(directory, error);
  }
}

/** Removes the socket a dead process left; refuses where somebody still answers. */
async function removeStale(path: string): Promise<void> {
  if (!lstatSync(path).isSocket()) throw new SocketError(path, "exists and is not a socket");
  if (await answers(path)) {
    throw new SocketError(path, "another node runs on this socket; stop it, or set api.socket");
  }
  unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    // EAGAIN is a full backlog: somebody listens. Only ECONNREFUSED says that nobody does.
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "ECONNREFUSED"));
  });
}

function socketError(path: string, error: unknown): SocketError {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  const denied = code === "EACCES" || code === "EPERM" || code === "EROFS";
  const fix = denied ? "; run as root, or set api.socket to a path you own" : "";
  return new SocketError(path, `cannot be made (${code})${fix}`, denied ? 3 : 1);
}

interface Route {
  readonly method: "GET" | "POST";
  answer(handlers: ApiHandlers): Answer | Promise<Answer>;
}

/** Shows a part of the status. */
function shown(part: (status: StatusReport) => unknown): Route {
  return { method: "GET", answer: async (handlers) => json(200, part(await handlers.status())) };
}

const ROUTES: Readonly<Record<string, Route>> = {
  "/v1/status": shown((status) => status),
  "/v1/nodes": shown(nodesOf),
  "/v1/ranges": shown(rangesOf),
  "/v1/events": { method: "GET", answer: (handlers) => jsonLines(handlers.events()) },
  "/v1/flows": { method: "GET", answer: async (handlers) => jsonLines(await handlers.flows()) },
  "/v1/drain": { method: "POST", answer: (handlers) => begun(handlers.drain()) },
  "/v1/join": { method: "POST", answer: (handlers) => begun(handlers.join()) },
  "/v1/resync": { method: "POST", answer: (handlers) => begun(handlers.resync()) },
};

function mayChange(client: Socket): boolean {
  const user = peerUser(client);
  return user === ROOT || user === process.geteuid?.();
}

async function begun(verb: Promise<void>): Promise<Answer> {
  await verb;
  return json(200, { begun: true });
}

async function route(
  handlers: ApiHandlers,
  method: string,
  path: string,
  client: Socket,
): Promise<Answer> {
  const found = Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined;
  if (found === undefined) return json(404, { error: "no such path", paths: Object.keys(ROUTES) });
  if (found.method !== method) {
    return json(405, { error: `${found.method} only` }, found.method);
  }
  if (method === "POST" && !mayChange(client)) {
    return json(403, { error: "this is for root and the user whose node it is" });
  }
  try {
    return await found.answer(handlers);
  } catch (error) {
    if (error instanceof Refusal) return json(409, { error: error.message });
    throw error;
  }
}
