#!/usr/bin/env node
/**
 * The program: reads the command line and hands over to one file of cli/ per command. Commands are
 * loaded when they are used, so that `status` does not wait for what only `run` needs.
 */
import { readFileSync } from "node:fs";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { DEFAULT_SOCKET } from "./cli/client.js";
import { CliError } from "./cli/error.js";
import { OpError } from "./platform/op-error.js";

const EXIT_FAILED = 1;
const EXIT_BAD_INPUT = 2;
const EXIT_MISSING = 3;
const EXIT_PATIENCE_MS = 2000;

function version(): string {
  const file = new URL("../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

/** The whole command line; `program().parseAsync(argv)` runs it. */
export async function program(): Promise<Command> {
  const root = new Command("shardwall")
    .description("Several Linux machines as one stateful firewall, all of them active.")
    .version(version())
    .exitOverride()
    .addHelpText("after", "\nExit codes: 0 done, 1 failed, 2 bad input, 3 missing permission.");
  addNodeCommands(root);
  addClientCommands(root);
  addPlannedCommands(root);
  root.addCommand((await import("./cli/hash.js")).hashCommand());
  for (const command of root.commands) command.exitOverride();
  return root;
}

/** A positive number of seconds. */
function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 86_400)) throw new InvalidArgumentError("Allowed: 0 < s <= 86400.");
  return value;
}

function nodeCount(text: string): number {
  const value = Number(text);
  const valid = Number.isInteger(value) && value >= 2 && value <= 8;
  if (!valid) throw new InvalidArgumentError("Allowed: 2..8.");
  return value;
}

function example(line: string): string {
  return `\nExample:\n  ${line}`;
}

function addNodeCommands(root: Command): void {
  root
    .command("run")
    .description("run a node in the foreground")
    .requiredOption("-c, --config <file>", "configuration file")
    .addHelpText("after", example("shardwall run -c /etc/shardwall/shardwall.yaml"))
    .action(async (options) => (await import("./cli/run.js")).run(options));
  root
    .command("check")
    .description("validate a configuration file")
    .requiredOption("-c, --config <file>", "configuration file")
    .addHelpText("after", example("shardwall check -c /etc/shardwall/shardwall.yaml"))
    .action(async (options) => {
      process.exitCode = (await import("./cli/check.js")).check(options.config);
    });
  root
    .command("keygen")
    .description("make a new cluster secret")
    .option("-o, --output <file>", "write it there, mode 0600, in place of stdout")
    .option("--rotate <file>", "take this secret file one step further to a new secret")
    .addHelpText("after", example("shardwall keygen -o /etc/shardwall/secret"))
    .action(async (options) => (await import("./cli/keygen.js")).keygen(options));
  root
    .command("demo")
    .description("a real cluster in network namespaces on this machine")
    .option("--nodes <n>", "number of firewall nodes", nodeCount, 3)
    .option("--seconds <n>", "seconds of traffic", seconds, 12)
    .option("--json", "last line on stdout is one JSON object")
    .addHelpText("after", example("shardwall demo --nodes 3"))
    .action(async (options) => (await import("./cli/demo.js")).demo(options));
}

/** A command that asks a running node over its socket. */
function clientCommand(root: Command, name: string, description: string): Command {
  return root
    .command(name)
    .description(description)
    .option("--socket <path>", "unix socket of the node", DEFAULT_SOCKET)
    .option("--json", "print JSON");
}

function addClientCommands(root: Command): void {
  clientCommand(root, "status", "what the node is, owns and does")
    .addHelpText("after", example("shardwall status --json | jq .lease"))
    .action(async (options) => (await import("./cli/status.js")).status(options));
  clientCommand(root, "nodes", "the nodes it knows")
    .addHelpText("after", example("shardwall nodes"))
    .action(async (options) => (await import("./cli/nodes.js")).nodes(options));
  clientCommand(root, "ranges", "which node owns which buckets")
    .addHelpText("after", example("shardwall ranges"))
    .action(async (options) => (await import("./cli/ranges.js")).ranges(options));
  clientCommand(root, "events", "what happened to this node and its cluster")
    .addHelpText("after", example("shardwall events --json | jq 'select(.name == \"nodeDown\")'"))
    .action(async (options) => (await import("./cli/events.js")).events(options));
  clientCommand(root, "flows", "the connections of the cluster in this node's kernel")
    .addHelpText("after", example("shardwall flows --json | jq 'select(.owner == 2)'"))
    .action(async (options) => (await import("./cli/flows.js")).flows(options));
}

function addPlannedCommands(root: Command): void {
  clientCommand(root, "drain", "hand the range over without loss, and wait until it is done")
    .option("--timeout <seconds>", "give up waiting after this time", seconds, 30)
    .addHelpText("after", example("shardwall drain --timeout 60"))
    .action(async (options) => (await import("./cli/drain.js")).drain(options));
  clientCommand(root, "join", "take part again after a drain, and wait until it is done")
    .option("--timeout <seconds>", "give up waiting after this time", seconds, 30)
    .addHelpText("after", example("shardwall join"))
    .action(async (options) => (await import("./cli/join.js")).join(options));
  clientCommand(root, "resync", "fetch the flows of all peers anew, and wait until they are here")
    .option("--timeout <seconds>", "give up waiting after this time", seconds, 60)
    .addHelpText("after", example("shardwall resync --timeout 120"))
    .action(async (options) => (await import("./cli/resync.js")).resync(options));
}

/** The exit code of whatever ended a command, its message told on stderr. */
function exitCodeOf(error: unknown): number {
  // commander has printed its own message; help and version are not failures.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_BAD_INPUT;
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`shardwall: ${message}\n`);
  if (error instanceof CliError) return error.exitCode;
  if (error instanceof OpError) return error.isMissingSupport ? EXIT_MISSING : EXIT_FAILED;
  const code = (error as { exitCode?: unknown } | null)?.exitCode;
  return typeof code === "number" ? code : EXIT_FAILED;
}

try {
  await (await program()).parseAsync(process.argv);
} catch (error) {
  process.exitCode = exitCodeOf(error);
  // Whatever a failed command left open must not keep it from ending.
  setTimeout(() => process.exit(), EXIT_PATIENCE_MS).unref();
}
