/**
 * The rules of the source tree, kept by a machine. A file that has to break a size says why in its
 * head comment, with the words "longer than" in it.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { flowSettings } from "../src/cluster/flows/settings.js";
import { FlowSync } from "../src/cluster/flows/sync.js";
import { REASONS } from "../src/state/reason.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const LINES_MAX = 250;
const FUNCTION_LINES_MAX = 70;
const COLUMNS_MAX = 100;
const HEAD_LINES = 15;

interface Source {
  /** Path from the root of the repository. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

function filesUnder(folder: string, ending: RegExp): Source[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => ending.test(path) && !path.includes("/build/"))
    .sort()
    .map((path) => {
      const text = readFileSync(join(ROOT, path), "utf8");
      return { path, text, lines: text.trimEnd().split("\n") };
    });
}

const PROGRAM = filesUnder("src", /\.ts$/);
const SCRIPTS = filesUnder("scripts", /\.mjs$/);
const NATIVE = filesUnder("native", /\.(cc|h)$/);
const TESTS = [...filesUnder("test", /\.ts$/), ...filesUnder("bench", /\.ts$/)];
const ALL = [...PROGRAM, ...SCRIPTS, ...NATIVE, ...TESTS];

interface Import {
  readonly from: string;
  /** What is imported: a path from the root, or a package. */
  readonly target: string;
  readonly names: string;
}

/** Static, re-exporting and dynamic imports of a file. */
function importsOf(source: Source): Import[] {
  const pattern =
    /(?:import|export)\s([^;"']*?)from\s+"([^"]+)"|import\(\s*"([^"]+)"|import "([^"]+)"/g;
  return [...source.text.matchAll(pattern)].map((match) => {
    const written = (match[2] ?? match[3] ?? match[4]) as string;
    const target = written.startsWith(".")
      ? normalize(join(dirname(source.path), written))
      : written;
    return { from: source.path, target, names: (match[1] ?? "").trim() };
  });
}

const IMPORTS = PROGRAM.flatMap(importsOf);

function startsWithAny(path: string, starts: readonly string[]): boolean {
  return starts.some((start) => path.startsWith(start));
}

describe("boundaries", () => {
  test("there is something to look at", () => {
    expect(PROGRAM.length).toBeGreaterThan(20);
    expect(IMPORTS.length).toBeGreaterThan(50);
  });

  test("packet/ and cluster/ never import each other", () => {
    const crossing = IMPORTS.filter(
      ({ from, target }) =>
        (from.startsWith("src/packet/") && target.startsWith("src/cluster/")) ||
        (from.startsWith("src/cluster/") && target.startsWith("src/packet/")),
    );
    expect(crossing).toEqual([]);
  });

  test("only platform/native.ts imports the addon", () => {
    const naming = PROGRAM.filter(({ text }) => /shardwall\.node\b/.test(text));
    expect(naming.map(({ path }) => path)).toEqual(["src/platform/native.ts"]);
  });

  test("sockets are opened only where the design says so", () => {
    const allowed = ["src/cluster/transport/udp", "src/api/", "src/cli/", "src/demo/"];
    const sockets = /^node:(net|dgram|http|https|http2|tls)$/;
    const opening = IMPORTS.filter(
      ({ from, target, names }) =>
        sockets.test(target) && !isAddressCheck(names) && !startsWithAny(from, allowed),
    );
    expect(opening).toEqual([]);
  });

  test("only platform/ and transport/udp read a clock", () => {
    const clock = /\bDate\.now\(|\bnew Date\(|\bperformance\.now\(|\bprocess\.hrtime\b/;
    expect(using(clock, ["src/platform/", "src/cluster/transport/udp"])).toEqual([]);
  });

  test("only platform/, transport/udp and keygen draw random numbers", () => {
    const random = /\bMath\.random\(|\brandomBytes\(|\brandomInt\(|\brandomUUID\(|\brandomFill/;
    const allowed = ["src/platform/", "src/cluster/transport/udp", "src/cli/keygen.ts"];
    expect(using(random, allowed)).toEqual([]);
  });
});

/** `isIP` and its kin open nothing: they only read text. Types are no code at all. */
function isAddressCheck(names: string): boolean {
  if (names.startsWith("type ")) return true;
  const each = names.replace(/[{}]/g, "").split(",");
  return each.every((name) => /^\s*(isIP(v4|v6)?|type \w+|)\s*$/.test(name));
}

/** Paths of program files that use something outside the places allowed to. */
function using(pattern: RegExp, allowed: readonly string[]): string[] {
  return PROGRAM.filter(
    ({ path, text }) => pattern.test(text) && !startsWithAny(path, allowed),
  ).map(({ path }) => path);
}

describe("sizes", () => {
  test(`files have at most ${LINES_MAX} lines, or say why not`, () => {
    const long = ALL.filter(({ lines }) => lines.length > LINES_MAX).filter(
      ({ lines }) => !/longer than/i.test(lines.slice(0, HEAD_LINES).join("\n")),
    );
    expect(long.map(({ path, lines }) => `${path}: ${lines.length} lines`)).toEqual([]);
  });

  test(`functions have at most ${FUNCTION_LINES_MAX} lines`, () => {
    expect([...PROGRAM, ...SCRIPTS].flatMap(longFunctions)).toEqual([]);
  });

  test(`lines have at most ${COLUMNS_MAX} columns`, () => {
    const wide = ALL.flatMap(({ path, lines }) =>
      lines.flatMap((line, at) =>
        line.length > COLUMNS_MAX && !isOneString(line) ? [`${path}:${at + 1}`] : [],
      ),
    );
    expect(wide).toEqual([]);
  });
});

/** A text that users see or a test expects is written whole, so that it can be searched for. */
function isOneString(line: string): boolean {
  return /^\s*(["'`]).*\1[,;]?$/.test(line);
}

/** Functions by indentation, which the formatter guarantees: up to the `}` below their head. */
function longFunctions(source: Source): string[] {
  const head = /^( *)(?!(?:if|for|while|switch|return|else|\}|\*|\/\/)\b).*(\) ?(: [^=]+)?|=>) \{$/;
  return source.lines.flatMap((line, at) => {
    const match = head.exec(line);
    if (match === null) return [];
    const end = source.lines.findIndex(
      (other, below) => below > at && other.startsWith(`${match[1]}}`),
    );
    const length = end - at + 1;
    return length > FUNCTION_LINES_MAX ? [`${source.path}:${at + 1}: ${length} lines`] : [];
  });
}

test("the check of function lengths finds a long one", () => {
  const body = Array(FUNCTION_LINES_MAX).fill("  x();");
  const lines = ["function f(a: number): void {", ...body, "}"];
  expect(longFunctions({ path: "f.ts", text: "", lines })).toEqual(["f.ts:1: 72 lines"]);
  expect(longFunctions({ path: "f.ts", text: "", lines: lines.slice(2) })).toEqual([]);
});

test("the manual names every reason of a verdict", () => {
  const manual = filesUnder("docs", /\.md$/)
    .map(({ text }) => text)
    .join("\n");
  const missing = REASONS.map(({ name }) => name).filter((name) => !manual.includes(`\`${name}\``));
  expect(missing).toEqual([]);
});

test("the manual names every counter of replication", () => {
  const manual = readFileSync(new URL("../docs/OPERATIONS.md", import.meta.url), "utf8");
  const settings = { node: 1, random32: () => 0, holdMs: 1, mayBeOut: () => true };
  const { counters } = new FlowSync(flowSettings(settings), 0).health(0);
  expect(Object.keys(counters).filter((name) => !manual.includes(`\`${name}\``))).toEqual([]);
});

describe("tools", () => {
  test("biome finds nothing", () => {
    expect(run("node_modules/.bin/biome", "check", "--error-on-warnings", ".")).toBe("");
  });

  test("the compiler finds nothing", () => {
    expect(run("node_modules/.bin/tsc", "-p", "tsconfig.json")).toBe("");
  });
});

/** Output of a tool that failed; nothing where it succeeded. */
function run(tool: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(join(ROOT, tool), args, {
    cwd: ROOT,
    encoding: "utf8",
  });
  return status === 0 ? "" : `${stdout ?? ""}${stderr ?? ""}${error?.message ?? ""}` || "failed";
}
