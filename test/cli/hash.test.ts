import { afterEach, describe, expect, test, vi } from "vitest";
import { CliError } from "../../src/cli/error.js";
import { hashCommand } from "../../src/cli/hash.js";

afterEach(() => {
  vi.restoreAllMocks();
});

/** Runs the command and returns what it wrote to stdout. */
async function hash(...args: string[]): Promise<string> {
  const written: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => written.push(String(text)) > 0);
  await hashCommand().parseAsync(args, { from: "user" });
  return written.join("");
}

describe("--json", () => {
  test("one object per input and line, in order", async () => {
    const text = await hash(
      ...["--mode", "xt-cluster", "--seed", "0xdeadbeef", "--total-nodes", "2", "--json"],
      ...["10.0.0.1", "10.37.91.14"],
    );
    // Both rows were captured from a kernel: node 1 and node 2.
    expect(
      text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { input: "10.0.0.1", hash: 0x52e26e5d, bucket: 0 },
      { input: "10.37.91.14", hash: 0xace8ff4f, bucket: 1 },
    ]);
  });

  test("seeds in decimal are the same seeds", async () => {
    const args = ["--mode", "source", "--json", "192.0.2.1", "--seed"];
    expect(await hash(...args, "3735928559")).toBe(await hash(...args, "0xdeadbeef"));
    expect(await hash(...args, "1")).not.toBe(await hash(...args, "0"));
  });

  test("both spellings of a tuple and both directions agree", async () => {
    const inputs = [
      "tcp,10.0.0.1:1234,192.0.2.1:80",
      "tcp src=192.0.2.1 dst=10.0.0.1 sport=80 dport=1234",
    ];
    const lines = (await hash("--mode", "tuple", "--json", ...inputs)).trimEnd().split("\n");
    const results = lines.map((line) => JSON.parse(line) as { hash: number; bucket: number });
    expect(results[0]!.hash).toBe(results[1]!.hash);
    expect(results[0]!.bucket).toBe(Math.floor((results[0]!.hash * 256) / 2 ** 32));
  });
});

describe("--ports", () => {
  const args = ["--mode", "tuple", "--seed", "1", "tcp,10.0.0.1:1234,192.0.2.1:80"];

  test("shows the slice of the bucket", async () => {
    const { bucket, ports } = JSON.parse(await hash(...args, "--json", "--ports", "1000-3559"));
    expect(ports).toEqual([1000 + 10 * bucket, 1009 + 10 * bucket]);
    const [head, row] = (await hash(...args, "--ports", "1000-3559")).split("\n");
    expect(head).toMatch(/ BUCKET +PORTS$/);
    expect(row).toMatch(new RegExp(` ${bucket} +${ports.join("-")}$`));
  });

  test.each([
    ["1000-1254", /too few; allowed: 256 ports or more/],
    ["9-1", /allowed: first-last/],
    ["x", /allowed: first-last/],
  ])("%s is refused", async (ports, message) => {
    await expect(hash(...args, "--ports", ports)).rejects.toThrow(message);
  });
});

describe("for people", () => {
  test("an aligned table with the node number in mode xt-cluster", async () => {
    const args = ["--mode", "xt-cluster", "--seed", "0xdeadbeef", "--total-nodes", "2"];
    expect(await hash(...args, "10.0.0.1", "10.37.91.14")).toBe(
      [
        "INPUT        HASH        BUCKET  NODE",
        "10.0.0.1     0x52e26e5d       0     1",
        "10.37.91.14  0xace8ff4f       1     2",
        "",
      ].join("\n"),
    );
  });

  test("the help has examples", () => {
    let text = "";
    const command = hashCommand().configureOutput({ writeOut: (part) => (text += part) });
    command.outputHelp();
    expect(text).toContain("$ shardwall hash --mode xt-cluster");
  });
});

describe("bad input ends with exit code 2 and prints nothing to stdout", () => {
  test.each([
    ["no mode", ["10.0.0.1"], "--mode is missing; allowed: tuple, source, xt-cluster"],
    ["an unknown mode", ["--mode", "src", "10.0.0.1"], "--mode src; allowed"],
    ["nothing to hash", ["--mode", "source"], "nothing to hash"],
    ["an address in mode tuple", ["--mode", "tuple", "10.0.0.1"], "is an address alone"],
    ["no total", ["--mode", "xt-cluster", "10.0.0.1"], "needs --total-nodes"],
    ["33 nodes", ["--mode", "xt-cluster", "--total-nodes", "33", "10.0.0.1"], "allowed: 1-32"],
    [
      "a total without need",
      ["--mode", "source", "--total-nodes", "3", "::1"],
      "--total-nodes needs",
    ],
    [
      "buckets with xt-cluster",
      ["--mode", "xt-cluster", "--total-nodes", "2", "--buckets", "4", "::1"],
      "--buckets does not go",
    ],
    ["100 buckets", ["--mode", "source", "--buckets", "100", "::1"], "not a power of two"],
    ["too many buckets", ["--mode", "source", "--buckets", "131072", "::1"], "allowed: 2-65536"],
    ["a wide seed", ["--mode", "source", "--seed", "4294967296", "::1"], "allowed: 0-4294967295"],
    ["a negative seed", ["--mode", "source", "--seed=-1", "::1"], "--seed -1; allowed"],
    ["one bad input among good ones", ["--mode", "source", "::1", "x"], "'x' is neither"],
  ])("%s", async (_, args, message) => {
    const failure = await hash(...args).then(
      () => null,
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(CliError);
    expect((failure as CliError).exitCode).toBe(2);
    expect((failure as CliError).message).toContain(message);
    expect(process.stdout.write).not.toHaveBeenCalled();
  });
});
