/**
 * New HTTP connections through a cluster: 0-byte objects of httpterm behind the nodes if it is
 * installed, else of haproxy, asked for by bench/c/hits.c from many addresses before them. (h1load
 * binds to no address, so all its hits have one client, whom the cluster match gives to one node.)
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { OUTSIDE } from "../../dist/demo/topology.js";
import { busyMs } from "./cpu.mjs";
import { compiled, isInstalled } from "./programs.mjs";

export const PORT = 80;

/** Client addresses in the lab's inside network, beside those the lab itself uses. */
const FIRST_CLIENT = 64;
export const CLIENTS = Array.from({ length: 64 }, (_, at) => `192.168.0.${FIRST_CLIENT + at}`);

/** Long enough for a node's hot code to be compiled: it runs for months, a round for seconds. */
const WARM_MS = 6000;
const CONNECTIONS = 100;

const HAPROXY = `global
  maxconn 8000
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 5s
frontend hits
  bind :${PORT} backlog 4096
  http-request return status 200
`;

/** The program behind the nodes, which is also the Debian package of haproxy. */
export const SERVER = isInstalled("httpterm") ? "httpterm" : "haproxy";

function serverArgv(lab) {
  if (SERVER === "httpterm") return ["httpterm", "-db", "-L", `:${PORT}`];
  const file = join(lab.directory, "haproxy.cfg");
  writeFileSync(file, HAPROXY);
  return ["haproxy", "-q", "-db", "-f", file];
}

/** Client addresses, and the server; resolves when it listens. */
export async function openHttp(lab) {
  addClients(lab);
  drained(lab.spawn("server", serverArgv(lab)));
  const listens = () => lab.exec("server", ["ss", "-Hltn"]).includes(`:${PORT} `);
  await lab.waitFor("server of the benchmark", listens);
}

export function addClients(lab) {
  const lines = CLIENTS.map((address) => `address add ${address}/24 dev eth0`);
  lab.exec("client", ["ip", "-batch", "-"], lines.join("\n"));
}

/** A program whose output nobody needs: a full pipe would stop it. */
export function drained(child) {
  child.stdout.resume();
  child.stderr.resume();
  return child;
}

/**
 * Loads the cluster.
 * @param sample called at the begin and at the end of the counted time; may be asynchronous
 * @param options `seconds`; `connections` at once; `holdMs` they stay open after their answer;
 *   `warmMs` before it is counted
 * @returns `{ hits, errors, slow, seconds, busyMs, samples }`
 */
export async function hit(lab, options, sample = () => null) {
  const { seconds, connections = CONNECTIONS, holdMs = 0, warmMs = WARM_MS } = options;
  const aim = [OUTSIDE.server4, PORT, warmMs, seconds * 1000, connections, holdMs];
  const argv = [compiled("hits"), ...aim, CLIENTS[0], CLIENTS.length].map(String);
  const child = lab.spawn("client", argv);
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
  const busy = [];
  const samples = [];
  for await (const line of createInterface({ input: child.stdout })) {
    busy.push(busyMs());
    samples.push(await sample());
    if (line === "begin") continue;
    const { ms, ...counts } = JSON.parse(line);
    return { ...counts, seconds: ms / 1000, busyMs: busy[1] - busy[0], samples };
  }
  throw new Error(`the client of the benchmark ended: ${said.trim()}`);
}
