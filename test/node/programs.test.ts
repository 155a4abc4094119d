/**
 * Real programs outlive the node that carried them: a bounded slice of `npm run outlive`, which
 * lets every program meet every fate and says more of the stalls.
 */
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { toolEnvironment } from "../../src/demo/children.js";
import { TIMING } from "../fixture/cluster.js";
import { fixture, lacking, rootOnly } from "../fixture/netns.js";

interface Result {
  readonly program: string;
  readonly fate: string;
  /** Empty: it ended as it should, with the right bytes. */
  readonly failure: string;
  readonly note: string;
  readonly stallMs: number;
}

const PROGRAMS = [
  "curl download",
  "curl upload",
  "haproxy",
  "wrk",
  "ssh",
  "scp",
  "openssl",
  "ping",
  "udp",
];
const FATES = ["SIGKILL", "SIGSTOP", "no-carrier", "links-down", "drain", "SIGTERM"];

const OUTLIVE = fixture("../../bench/outlive.mjs");

function outlive(...options: string[]): Result[] {
  const argv = [OUTLIVE, "--json", "--failure-ms", String(TIMING.failureMs), ...options];
  const settings = { encoding: "utf8", env: toolEnvironment(), timeout: 150_000 } as const;
  const { stdout, stderr } = spawnSync(process.execPath, argv, settings);
  if (stdout === "") throw new Error(stderr);
  return (JSON.parse(stdout) as { results: Result[] }).results;
}

function check(results: readonly Result[]): void {
  for (const { program, fate, stallMs, note } of results) {
    console.info(`${fate}, ${program}: stalled ${stallMs} ms${note && `, ${note}`}`);
  }
  expect(results.filter(({ failure }) => failure !== "")).toEqual([]);
  expect([...new Set(results.map(({ program }) => program))].sort()).toEqual([...PROGRAMS].sort());
}

const NEEDED = [
  "nginx",
  "haproxy",
  "sshd",
  "ssh",
  "scp",
  "wrk",
  "curl",
  "openssl",
  "socat",
  "ping",
];
const without = lacking(...NEEDED);

rootOnly(`real programs${without}`, () => {
  test.skipIf(without !== "")(
    "go on when the node that carries them goes",
    () => {
      const results = outlive("--every", "3", "--seconds", "4", "--fates", FATES.join());
      check(results);
      expect([...new Set(results.map(({ fate }) => fate))]).toEqual(FATES);
    },
    160_000,
  );

  test.skipIf(without !== "")(
    "go on through translation of their addresses, too",
    () => {
      const fates = ["SIGKILL", "drain"];
      check(outlive("--snat", "--every", "2", "--seconds", "4", "--fates", fates.join()));
    },
    160_000,
  );
});
