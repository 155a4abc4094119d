import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ApiHandlers, type ApiServer, openApi, Refusal } from "../../src/api/server.js";
import { API_CONNECTIONS_MAX, API_REQUEST_BYTES_MAX } from "../../src/config/limits.js";
import { STATUS } from "./example.js";

const HANDLERS: ApiHandlers = {
  status: async () => STATUS,
  flows: async () => (async function* () {})(),
  events: async function* () {
    yield "{}\n";
  },
  drain: async () => {},
  join: async () => {
    throw new Refusal("the node is active already");
  },
  resync: async () => {},
};

let directory = "";
let path = "";
const servers: ApiServer[] = [];

async function open(handlers: ApiHandlers = HANDLERS): Promise<ApiServer> {
  const server = await openApi(path, handlers);
  servers.push(server);
  return server;
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "shardwall-api-"));
  path = join(directory, "run", "node.sock");
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
  rmSync(directory, { recursive: true });
});

interface Reply {
  readonly status: number | undefined;
  readonly allow: string | undefined;
  readonly body: unknown;
}

function send(method: string, target: string, body = ""): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: path, method, path: target, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => {
        const { statusCode: status, headers } = response;
        resolve({ status, allow: headers.allow, body: text === "" ? null : JSON.parse(text) });
      });
    });
    call.on("error", reject);
    call.end(body);
  });
}

describe("requests", () => {
  test("reading is GET", async () => {
    await open();
    expect(await send("GET", "/v1/status")).toMatchObject({ status: 200, body: STATUS });
    expect((await send("GET", "/v1/status?x=1")).status).toBe(200);
    expect((await send("GET", "/v1/nodes")).body).toMatchObject([
      { node: 1, self: false, inView: true, ownedBuckets: 85 },
      { node: 2, self: true, inView: true, ownedBuckets: 86, address: null },
      { node: 3, self: false, inView: false, state: "dead" },
    ]);
    expect((await send("GET", "/v1/ranges")).body).toEqual({
      buckets: 256,
      epoch: 7,
      ranges: [
        { node: 1, range: [[0, 84]] },
        { node: 2, range: [[85, 170]] },
      ],
      unowned: 85,
      overlapping: 0,
    });
  });

  test("changing is POST, and nothing else", async () => {
    let drains = 0;
    await open({ ...HANDLERS, drain: async () => void drains++ });
    expect(await send("GET", "/v1/drain")).toMatchObject({ status: 405, allow: "POST" });
    expect(await send("POST", "/v1/status")).toMatchObject({ status: 405, allow: "GET" });
    expect(drains).toBe(0);
    expect(await send("POST", "/v1/drain")).toMatchObject({ status: 200, body: { begun: true } });
    expect(drains).toBe(1);
  });

  test("a refused verb says why; a failing handler is not the end of the server", async () => {
    await open({
      ...HANDLERS,
      status: async () => {
        throw new Error("no memory");
      },
    });
    const refused = { status: 409, body: { error: "the node is active already" } };
    expect(await send("POST", "/v1/join")).toMatchObject(refused);
    expect(await send("GET", "/v1/status")).toMatchObject({ status: 500 });
    expect(await send("POST", "/v1/drain")).toMatchObject({ status: 200 });
  });

  test.each(["/", "/v1", "/v1/status/", "/__proto__", "/constructor", "//v1/status"])(
    "%s is no path",
    async (target) => {
      await open();
      expect(await send("GET", target)).toMatchObject({ status: 404 });
    },
  );
});

describe("bounds", () => {
  test("a body up to the bound is read and forgotten, a longer one refused", async () => {
    await open();
    const most = "x".repeat(API_REQUEST_BYTES_MAX);
    expect((await send("POST", "/v1/drain", most)).status).toBe(200);
    expect((await send("POST", "/v1/drain", `${most}x`)).status).toBe(413);
  });

  test("headers longer than the bound are refused", async () => {
    await open();
    expect(await raw(`GET /v1/status HTTP/1.1\r\nx: ${"x".repeat(9000)}\r\n\r\n`)).toMatch(/ 431 /);
  });

  test("what is not HTTP is refused", async () => {
    await open();
    expect(await raw("hello\r\n\r\n")).toMatch(/ 400 /);
  });

  test("a request that does not arrive ends", async () => {
    await open();
    expect(await raw("GET /v1/status HTTP/1.1\r\n")).toMatch(/ 408 /);
  }, 15_000);

  test("more connections than the bound are closed, and the server lives", async () => {
    await open();
    const sockets = Array.from({ length: API_CONNECTIONS_MAX + 8 }, () => connect(path));
    const ends = sockets.map(
      (socket) =>
        new Promise<boolean>((resolve) => {
          socket.on("error", () => {}).on("close", () => resolve(true));
          setTimeout(() => resolve(false), 300);
        }),
    );
    const closed = (await Promise.all(ends)).filter(Boolean).length;
    expect(closed).toBe(8);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await send("GET", "/v1/status")).status).toBe(200);
  });
});

/** Sends bytes as they are; gives what comes back until the server closes. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.write(text));
    let answer = "";
    socket.setEncoding("latin1").on("data", (part: string) => {
      answer += part;
    });
    socket.on("close", () => resolve(answer)).on("error", reject);
  });
}

describe("the socket", () => {
  test("is its owner's alone from the moment it exists, in a directory as private", async () => {
    const before = process.umask();
    const opening = open();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await opening;
    expect(statSync(join(directory, "run")).mode & 0o777).toBe(0o700);
    expect(process.umask()).toBe(before);
  });

  test("is gone after close", async () => {
    const server = await open();
    await server.close();
    expect(existsSync(path)).toBe(false);
  });

  test("left by a dead process is replaced", async () => {
    await open();
    await leaveStale(path);
    expect(statSync(path).isSocket()).toBe(true);
    await open();
    expect((await send("GET", "/v1/status")).status).toBe(200);
  });

  test("of a live node is refused, and the node keeps it", async () => {
    await open();
    await expect(openApi(path, HANDLERS)).rejects.toThrow("another node runs on this socket");
    expect((await send("GET", "/v1/status")).status).toBe(200);
  });

  test("is not made in place of a file", async () => {
    path = join(directory, "file");
    writeFileSync(path, "precious");
    await expect(openApi(path, HANDLERS)).rejects.toThrow("exists and is not a socket");
    expect(existsSync(path)).toBe(true);
  });

  test("is not made where others could replace it", async () => {
    chmodSync(directory, 0o777);
    path = join(directory, "node.sock");
    await expect(openApi(path, HANDLERS)).rejects.toThrow(`chmod go-w ${directory}`);
    chmodSync(directory, 0o1777);
    await open();
  });
});

/** A socket nobody listens on: a child makes it and dies without removing it. */
async function leaveStale(place: string): Promise<void> {
  for (const server of servers.splice(0)) await server.close();
  const code = `require("net").createServer().listen(process.argv[1], () =>
    process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", code, place], { stdio: "ignore" });
}
