/** The commands' way to a running node: HTTP with JSON over its unix socket. */
import { type IncomingMessage, request } from "node:http";
import { API_ANSWER_BYTES_MAX, API_LINE_CHARS_MAX } from "../config/limits.js";
import { CliError } from "./error.js";

export const DEFAULT_SOCKET = "/run/shardwall/shardwall.sock";

/** Milliseconds until an unanswered request fails: a node answers from memory, in a few. */
const ANSWER_MS_MAX = 5000;

const FORBIDDEN = 403;

/** What the commands that talk to a node have in common. */
export interface ClientOptions {
  readonly socket: string;
  readonly json?: boolean;
}

/**
 * One request to the node behind `socket`.
 * @returns the parsed JSON of its answer
 * @throws CliError with exit code 1 where no node answers or it refuses, 3 where we may not ask
 */
export async function ask<T>(socket: string, method: "GET" | "POST", path: string): Promise<T> {
  const { status, body } = await exchange(socket, method, path);
  const answer = parsed(socket, body);
  if (status === 200) return answer as T;
  throw refused(path, status, answer);
}

/**
 * The lines of a long answer, as they come: memory does not grow with it.
 * @throws CliError as {@link ask} does, also when the answer breaks off in the middle
 */
export async function* askLines(socketPath: string, path: string): AsyncGenerator<string[]> {
  const response = await opened(socketPath, path);
  if (response.statusCode !== 200) {
    throw refused(path, response.statusCode ?? 0, parsed(socketPath, await collect(response)));
  }
  response.setEncoding("utf8");
  let rest = "";
  try {
    for await (const text of response) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() as string;
      if (rest.length > API_LINE_CHARS_MAX) throw new Error("a line of the answer is too long");
      if (lines.length > 0) yield lines;
    }
  } catch (error) {
    throw new CliError(`${path}: the answer broke off: ${(error as Error).message}`, 1);
  }
}

/** The head of an answer. From then on it fails when the node is silent for too long. */
function opened(socketPath: string, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let head: IncomingMessage | undefined;
    const call = request({ socketPath, method: "GET", path, agent: false }, (response) => {
      head = response;
      resolve(response);
    });
    call.setTimeout(ANSWER_MS_MAX, () => {
      // Data that nobody has read yet: not the node is slow, but who reads our output.
      if (head === undefined || head.readableLength === 0) call.destroy(new Late());
    });
    call.on("error", (error) => reject(unreachable(socketPath, error)));
    call.end();
  });
}

class Late extends Error {
  override readonly name = "AbortError";
  override readonly message = `no data for ${ANSWER_MS_MAX} ms`;
}

function parsed(socket: string, body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new CliError(`${socket}: the answer is not JSON; is this a shardwall socket?`, 1);
  }
}

function refused(path: string, status: number, answer: unknown): CliError {
  const error = (answer as { error?: unknown } | null)?.error;
  const text = typeof error === "string" ? error : `status ${status}`;
  return new CliError(`${path}: ${text}`, status === FORBIDDEN ? 3 : 1);
}

function exchange(socketPath: string, method: string, path: string) {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const signal = AbortSignal.timeout(ANSWER_MS_MAX);
    const call = request({ socketPath, method, path, signal, agent: false }, (response) => {
      collect(response).then(
        (body) => resolve({ status: response.statusCode ?? 0, body }),
        (error) => reject(unreachable(socketPath, error)),
      );
    });
    call.on("error", (error) => reject(unreachable(socketPath, error)));
    call.end();
  });
}

async function collect(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length;
    if (bytes > API_ANSWER_BYTES_MAX) throw new Error("the answer is too long");
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function unreachable(socket: string, error: Error): CliError {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (code === "ENOENT" || code === "ECONNREFUSED") {
    return new CliError(`no node is running on ${socket}; start one: shardwall run -c FILE`, 1);
  }
  if (code === "EACCES" || code === "EPERM") {
    return new CliError(`${socket} belongs to another user; ask as root`, 3);
  }
  if (error.name === "AbortError" || code === "ABORT_ERR") {
    return new CliError(`the node on ${socket} does not answer within ${ANSWER_MS_MAX} ms`, 1);
  }
  return new CliError(`${socket}: ${error.message}`, 1);
}
