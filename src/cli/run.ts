/** `shardwall run`: a node in the foreground, until a signal or a failure ends it. */
import { loadConfig } from "../config/config.js";
import { createLog } from "../platform/log.js";
import { RunningNode } from "../supervise/node.js";
import { CliError } from "./error.js";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs until told to stop. The first signal hands the range over before it stops, a second one does
 * not wait.
 * @throws ConfigError (2), OpError (3 where a right or kernel support is missing), CliError (1)
 */
export async function run(options: { readonly config: string }): Promise<void> {
  const config = loadConfig(options.config);
  const log = createLog(config.log.level, { node: config.node, cluster: config.cluster.name });
  const hurry = new AbortController();
  let end: (failure: string | null) => void = () => {};
  const ended = new Promise<string | null>((resolve) => {
    end = resolve;
  });
  let signals = 0;
  for (const name of SIGNALS) {
    process.on(name, () => {
      log.info({ signal: name }, "stopping");
      if (++signals > 1) hurry.abort();
      end(null);
    });
  }
  const node = await RunningNode.start(config, log, (message) => {
    log.fatal(message);
    hurry.abort();
    end(message);
  });
  const failure = await ended;
  await node.stop(hurry.signal);
  log.info("stopped");
  if (failure !== null) throw new CliError(failure, 1);
}
