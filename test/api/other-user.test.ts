/** A socket that its owner has opened to others: they may read, and change nothing. */
import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openApi } from "../../src/api/server.js";
import { rootOnly } from "../fixture/netns.js";
import { STATUS } from "./example.js";

const ROOT = 0;
const NOBODY = 65_534;

/** The status that a request of this user is answered with; 0: it was not. */
function sendAs(uid: number, path: string, method: string, target: string): Promise<number> {
  const script = `require("node:http").request({ socketPath: process.argv[1],
    method: "${method}", path: "${target}" }, ({ statusCode }) => {
    console.log(statusCode); process.exit(); }).end()`;
  const child = spawn(process.execPath, ["-e", script, path], { uid, gid: uid });
  return new Promise((resolve) => {
    child.stdout.once("data", (text) => resolve(Number(text)));
    child.once("close", () => resolve(0));
  });
}

rootOnly("a socket that was opened to others", () => {
  test("they read, and root changes", async () => {
    const directory = mkdtempSync(join(tmpdir(), "shardwall-api-"));
    const path = join(directory, "node.sock");
    let drains = 0;
    const server = await openApi(path, {
      status: async () => STATUS,
      flows: async () => (async function* () {})(),
      events: async function* () {},
      drain: async () => void drains++,
      join: async () => {},
      resync: async () => {},
    });
    try {
      chmodSync(directory, 0o755);
      chmodSync(path, 0o666);
      expect(await sendAs(NOBODY, path, "GET", "/v1/status")).toBe(200);
      expect(await sendAs(NOBODY, path, "POST", "/v1/drain")).toBe(403);
      expect(drains).toBe(0);
      expect(await sendAs(ROOT, path, "POST", "/v1/drain")).toBe(200);
      expect(drains).toBe(1);
    } finally {
      await server.close();
      rmSync(directory, { recursive: true });
    }
  });
});
