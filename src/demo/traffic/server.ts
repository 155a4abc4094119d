/**
 * The lab's HTTP server: answers each request and closes the connection, on every port of its
 * arguments and on all addresses. Tells `{"type":"ready","ports":[...]}` when it listens.
 *
 * It closes first, so that TIME_WAIT stays here and clients find their ports free.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ANSWER } from "./hit.js";
import { tell } from "./lines.js";

function listen(port: number): Promise<Server> {
  const server = createServer((_, response) => {
    response.writeHead(200, { connection: "close", "content-length": ANSWER.length });
    response.end(ANSWER);
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "::", () => resolve(server));
  });
}

const servers = await Promise.all(process.argv.slice(2).map((port) => listen(Number(port))));
tell({ type: "ready", ports: servers.map((server) => (server.address() as AddressInfo).port) });
