/**
 * The API on a socket, or the metrics on a port that the system chooses, with nothing behind it.
 * `uptimeMs` of what it tells counts the changes of the API, or the pages of metrics.
 */
import { openMetrics } from "../../src/api/metrics.js";
import { openApi } from "../../src/api/server.js";
import { STATUS } from "../api/example.js";

let count = 0;
const change = async () => {
  count += 1;
};
const lines = async function* () {
  yield "{}\n";
};

async function open(path: string | undefined): Promise<string | number> {
  if (path === undefined) {
    const endpoint = { address: "127.0.0.1", family: 4, port: 0 } as const;
    const page = async () => ({ ...STATUS, uptimeMs: ++count * 1000 });
    return (await openMetrics(endpoint, page)).port;
  }
  const status = async () => ({ ...STATUS, uptimeMs: count });
  const verbs = { drain: change, join: change, resync: change };
  return (await openApi(path, { status, flows: async () => lines(), events: lines, ...verbs }))
    .path;
}

process.send?.(await open(process.argv[2]));
process.once("disconnect", () => process.exit());
