/** One HTTP/1.1 request over a TCP connection of its own. */
import { request } from "node:http";

/** What the server answers; an answer that differs is a failure. */
export const ANSWER = "ok\n";

export interface HitOptions {
  readonly host: string;
  readonly port: number;
  /** Source of the connection. */
  readonly localAddress: string;
  readonly localPort: number;
  /** Gives the request up. */
  readonly signal: AbortSignal;
}

/**
 * Connects, asks, reads the answer to its end.
 * @returns null, or why it failed: an errno name such as `ECONNRESET`, `timeout`, `status 500`,
 * `answer`
 */
export function hit({ signal, ...target }: HitOptions): Promise<string | null> {
  return new Promise((resolve) => {
    const fail = (error: Error) => resolve(failureText(error));
    const call = request({ ...target, signal, agent: false, path: "/" }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => resolve(judge(response.statusCode ?? 0, body)));
      response.on("error", fail);
    });
    call.on("error", fail);
    call.end();
  });
}

function judge(status: number, body: string): string | null {
  if (status !== 200) return `status ${status}`;
  return body === ANSWER ? null : "answer";
}

function failureText(error: Error): string {
  if (error.name === "AbortError" || error.name === "TimeoutError") return "timeout";
  return (error as NodeJS.ErrnoException).code ?? error.message;
}
