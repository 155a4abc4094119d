/**
 * Text to a frozen `Config`, or all that is wrong with it at once.
 *
 * text -> YAML document -> schema (each key) -> relations (between keys) -> `Config`
 */
import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { type Endpoint, type Prefix, parseEndpoint, parsePorts, parsePrefix } from "./address.js";
import { findingsOf } from "./issues.js";
import { CONFIG_BYTES_MAX, leaseMsOf, PROBLEMS_MAX } from "./limits.js";
import { lineOf } from "./lines.js";
import { translatedAddress } from "./nat.js";
import { ConfigError, type Finding, fileError, type Problem, pathText } from "./problem.js";
import { bucketsOf, checkRelations } from "./relations.js";
import { configSchema, type Parsed } from "./schema.js";
import type { Config, InterfaceConfig, LinkConfig, NatConfig } from "./types.js";

export type { Config } from "./types.js";
export { ConfigError };

/**
 * Reads and parses a configuration file.
 * @throws ConfigError with exit code 3 where the file may not be read, else as `parseConfig`
 */
export function loadConfig(file: string): Config {
  let text: string;
  try {
    const bytes = statSync(file).size;
    if (bytes > CONFIG_BYTES_MAX) throw fileError(file, `is larger than ${CONFIG_BYTES_MAX} bytes`);
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "error";
    if (code === "ENOENT") throw fileError(file, "there is no such file");
    const denied = code === "EACCES" || code === "EPERM";
    throw fileError(file, `cannot be read (${code})`, denied ? 3 : 2);
  }
  return parseConfig(text, file);
}

/**
 * Parses configuration text. `file` names it in messages; relative paths start at its directory.
 * @throws ConfigError with every problem found, in the order of the file's lines
 */
export function parseConfig(text: string, file: string): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const syntax = document.errors.map((error) => ({
    path: "",
    line: lines.linePos(error.pos[0]).line,
    message: error.message,
    allowed: null,
  }));
  if (syntax.length > 0) throw new ConfigError(file, limited(syntax));
  const raw = sectionsOf(plainValue(document, file));
  const result = configSchema.safeParse(raw);
  const findings = [
    ...(result.success ? [] : findingsOf(configSchema, result.error.issues, raw)),
    ...checkRelations(validSections(raw)),
  ];
  if (findings.length === 0 && result.success) return freeze(configOf(result.data, file));
  const located = findings.map((found) => problemOf(found, lineOf(document, lines, found.path)));
  throw new ConfigError(file, limited(located.sort((a, b) => (a.line ?? 0) - (b.line ?? 0))));
}

function plainValue(document: ReturnType<typeof parseDocument>, file: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    // Aliases that expand without end, or nesting deeper than the stack.
    throw fileError(file, `is not usable: ${(error as Error).message}`);
  }
}

/** A section whose keys are all commented out is `null` in YAML: the same as a section left out. */
function sectionsOf(raw: unknown): unknown {
  if (raw === null || raw === undefined) return {};
  if (typeof raw !== "object" || Array.isArray(raw)) return raw;
  return Object.fromEntries(Object.entries(raw).filter(([, value]) => value !== null));
}

/** Those top-level sections that are valid in themselves, defaults filled in. */
function validSections(raw: unknown): Partial<Parsed> {
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return {};
  const valid: Record<string, unknown> = {};
  for (const [key, schema] of Object.entries(configSchema.shape)) {
    const result = (schema as z.ZodType).safeParse((raw as Record<string, unknown>)[key]);
    if (result.success) valid[key] = result.data;
  }
  return valid as Partial<Parsed>;
}

function problemOf(found: Finding, line: number | null): Problem {
  return {
    path: pathText(found.path),
    line,
    message: found.message,
    allowed: found.allowed ?? null,
  };
}

function limited(problems: Problem[]): Problem[] {
  if (problems.length <= PROBLEMS_MAX) return problems;
  const more = problems.length - PROBLEMS_MAX;
  const rest = { path: "", line: null, message: `${more} more problems`, allowed: null };
  return [...problems.slice(0, PROBLEMS_MAX), rest];
}

function configOf(parsed: Parsed, file: string): Config {
  const { cluster, timing, membership, api } = parsed;
  const { secretFile } = cluster;
  return {
    file,
    node: parsed.node,
    cluster: {
      name: cluster.name,
      secretFile: secretFile === undefined ? null : resolve(dirname(file), secretFile),
      insecure: cluster.insecure,
      buckets: bucketsOf(cluster) as number,
      hash: {
        mode: cluster.hash.mode,
        seed: cluster.hash.seed ?? null,
        totalNodes: cluster.hash.totalNodes ?? null,
      },
    },
    links: parsed.links.map(linkOf),
    timing: { ...timing, leaseMs: leaseMsOf(timing.failureMs) },
    membership: { ...membership, size: membership.size ?? null },
    interfaces: parsed.interfaces.map(interfaceOf),
    dataplane: parsed.dataplane,
    sync: syncOf(parsed.sync),
    nat: parsed.nat.map((rule) => natOf(rule, parsed.interfaces)),
    api: {
      socket: api.socket,
      metrics: api.metrics === undefined ? null : parseEndpoint(api.metrics, 0),
    },
    log: parsed.log,
  };
}

function syncOf(sync: Parsed["sync"]): Config["sync"] {
  const prefixes = (all: readonly string[]) => all.map((text) => parsePrefix(text) as Prefix);
  return { ...sync, ignore: prefixes(sync.ignore), only: prefixes(sync.only) };
}

function linkOf(link: Parsed["links"][number]): LinkConfig {
  return {
    interface: link.interface,
    group: link.group ?? null,
    port: link.port,
    peers: (link.peers ?? []).map((peer) => parseEndpoint(peer, link.port) as Endpoint),
  };
}

function interfaceOf(each: Parsed["interfaces"][number]): InterfaceConfig {
  return {
    name: each.name,
    mac: each.mac?.toLowerCase() ?? null,
    addresses: each.addresses.map((prefix) => parsePrefix(prefix) as Prefix),
  };
}

function natOf(rule: Parsed["nat"][number], interfaces: Parsed["interfaces"]): NatConfig {
  return {
    ...rule,
    source: parsePrefix(rule.source) as Prefix,
    to: translatedAddress(rule, interfaces) as string,
    ports: parsePorts(rule.ports) as [number, number],
  };
}

function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  for (const part of Object.values(value)) freeze(part);
  return Object.freeze(value);
}
