/**
 * Two network namespaces with a cable between them, inside the sandbox of the benchmarks: they end
 * with it.
 *
 *     sender 10.9.0.1 --- veth --- 10.9.0.2 receiver
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";

export const SENDER = "bench-sender";
export const RECEIVER = "bench-receiver";
export const RECEIVER_ADDRESS = "10.9.0.2";

const ip = (...args) => execFileSync("ip", args, { encoding: "utf8" });

/** Runs a program in a namespace to its end. @returns its standard output */
export function inside(namespace, argv, input = "") {
  return execFileSync("ip", ["netns", "exec", namespace, ...argv], { input, encoding: "utf8" });
}

/** Starts a program in a namespace; it ends with its standard input or by `kill`. */
export function spawnInside(namespace, argv) {
  const stdio = ["pipe", "pipe", "inherit"];
  return spawn("ip", ["netns", "exec", namespace, ...argv], { stdio });
}

/** Waits for the first output of a program. @throws Error when it ends before */
export async function untilReady(program, name) {
  const ended = once(program, "exit").then(() => {
    throw new Error(`${name} ended at its start`);
  });
  await Promise.race([once(program.stdout, "data"), ended]);
  ended.catch(() => {});
}

export function openPair() {
  for (const name of [SENDER, RECEIVER]) ip("netns", "add", name);
  ip("link", "add", "eth0", "netns", SENDER, "type", "veth", "peer", "eth0", "netns", RECEIVER);
  inside(SENDER, ["ip", "address", "add", "10.9.0.1/24", "dev", "eth0"]);
  inside(RECEIVER, ["ip", "address", "add", `${RECEIVER_ADDRESS}/24`, "dev", "eth0"]);
  for (const name of [SENDER, RECEIVER]) inside(name, ["ip", "link", "set", "eth0", "up"]);
}

export function closePair() {
  for (const name of [SENDER, RECEIVER]) ip("netns", "delete", name);
}
