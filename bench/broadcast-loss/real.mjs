/**
 * The measurement over real UDP: a network namespace for each rate, all at the same time. Three
 * nodes with a socket each talk over its loopback, where nft drops on input, for each copy of a
 * datagram by itself.
 *
 *     node bench/broadcast-loss/real.mjs PERCENT SECONDS     one rate, inside its namespace
 */
import { execFileSync, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { BEAT_MS, LossNode, MESSAGE_MS, NODES, outcomeOf, TICK_MS } from "./node.mjs";

const PORT = 3780;
const WARM_MS_MAX = 10_000;
const GRACE_MS = 60_000;
const BEAT = 0;
const addressOf = (id) => `127.0.0.${id}`;

/** Runs each rate in a namespace of its own; the namespace ends with its process. */
export async function measureReal(rates, seconds) {
  return Promise.all(rates.map((rate) => runOne(rate, seconds)));
}

async function runOne(rate, seconds) {
  const script = fileURLToPath(import.meta.url);
  const argv = ["--net", process.execPath, script, String(rate), String(seconds)];
  const child = spawn("unshare", argv, {
    stdio: ["ignore", "pipe", "inherit"],
    timeout: seconds * 1000 + WARM_MS_MAX + GRACE_MS,
    killSignal: "SIGKILL",
  });
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += chunk;
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${rate} % loss: ended with ${code}`);
  return JSON.parse(text);
}

function dropOnInput(percent) {
  const match = `udp dport ${PORT}`;
  const text = `table ip loss {
  counter seen {}
  chain input {
    type filter hook input priority 0;
    ${match} counter name seen
    ${match} numgen random mod 100 < ${percent} counter drop
  }
}`;
  execFileSync("nft", ["-f", "-"], { input: text });
}

/** Share of datagrams that the kernel really dropped. */
function droppedShare() {
  const text = execFileSync("nft", ["-j", "list", "table", "ip", "loss"], { encoding: "utf8" });
  const objects = JSON.parse(text).nftables;
  const seen = objects.find((object) => object.counter)?.counter.packets;
  const rules = objects.flatMap((object) => object.rule?.expr ?? []);
  const dropped = rules.find((part) => typeof part.counter === "object")?.counter.packets;
  return dropped / seen;
}

async function open(id) {
  const socket = createSocket("udp4");
  socket.bind(PORT, addressOf(id));
  await once(socket, "listening");
  const send = (bytes) => {
    for (let to = 1; to <= NODES; to++) if (to !== id) socket.send(bytes, PORT, addressOf(to));
  };
  const node = new LossNode(id, send, () => randomInt(2 ** 32));
  socket.on("message", (bytes, { address }) => {
    const from = Number(address.split(".")[3]);
    const member = { node: from, incarnation: BigInt(from) };
    // A beat stands for HEARTBEAT's one field that this layer reads.
    if (bytes[0] === BEAT) node.broadcast.onSent(member, bytes.readUInt32BE(1), performance.now());
    else node.broadcast.onBody(member, new Uint8Array(bytes), performance.now());
  });
  return { node, socket, send };
}

async function inside(percent, seconds) {
  execFileSync("ip", ["link", "set", "lo", "up"]);
  const ends = await Promise.all(Array.from({ length: NODES }, (_, index) => open(index + 1)));
  const nodes = ends.map(({ node }) => node);
  for (const { node } of ends) {
    for (const peer of nodes) if (peer !== node) node.broadcast.peerUp(peer.member, 0);
  }
  const timers = ends.flatMap(({ node, send }) => [
    setInterval(() => node.tick(performance.now()), TICK_MS),
    setInterval(() => send(beatOf(node)), BEAT_MS),
    setInterval(() => publishDue(node, performance.now()), TICK_MS),
  ]);
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const end = performance.now() + WARM_MS_MAX;
  while (!nodes.every((node) => node.isFollowingAll)) {
    if (performance.now() > end) throw new Error("not in sync before");
    await sleep(TICK_MS);
  }
  dropOnInput(percent);
  for (const node of nodes) {
    node.startCounting();
    node.nextMs = performance.now() + MESSAGE_MS;
  }
  await sleep(seconds * 1000);
  for (const timer of timers) clearInterval(timer);
  const outcome = { ...outcomeOf(nodes), dropped: droppedShare() };
  for (const { socket } of ends) socket.close();
  console.log(JSON.stringify(outcome));
}

/** A timer that is late on a busy machine must not make the minute poorer in messages. */
function publishDue(node, now) {
  for (; now >= node.nextMs; node.nextMs += MESSAGE_MS) node.publish(now);
}

function beatOf(node) {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(node.sent, 1);
  return bytes;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await inside(Number(process.argv[2]), Number(process.argv[3]));
}
