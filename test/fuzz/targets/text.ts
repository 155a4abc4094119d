/** Text that people write: configuration files, and arguments of `shardwall hash`. */
import { CliError } from "../../../src/cli/error.js";
import { parseTuple } from "../../../src/cli/tuple.js";
import { ConfigError, parseConfig } from "../../../src/config/config.js";
import { BucketHash } from "../../../src/packet/flow/bucket.js";
import { EXAMPLE } from "../../config/example.js";
import { behaviour, check, newInput, type Target } from "../target.js";

const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text));

/** Any text is a configuration, or is refused with a message for each problem. */
export class ConfigTarget implements Target {
  readonly name = "config";
  readonly episode = 1;
  readonly input = newInput(4096);

  seeds(): Uint8Array[] {
    const bomb = `a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b,*b]\n${EXAMPLE}`;
    const deep = `${"[".repeat(300)}${"]".repeat(300)}`;
    const nat = `nat:\n  - { out: eth1, source: 192.168.0.0/24, to: 192.168.1.5, ports: "1-2" }\n`;
    return [EXAMPLE, `${EXAMPLE}${nat}`, bomb, deep, "{}", "--- |\n x\n", "? a\n: b\n"].map(
      bytesOf,
    );
  }

  reset(): void {}

  run(length: number): number {
    const text = Buffer.from(this.input.slice(0, length)).toString("utf8");
    try {
      const config = parseConfig(text, "/etc/shardwall/node.yaml");
      check(Object.isFrozen(config.cluster.hash), "a configuration that can be changed");
      return behaviour(1, config.links.length, config.interfaces.length);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      check(error.problems.length > 0, "refused without a problem");
      check(error.exitCode === 2, `exit code ${error.exitCode}`);
      const [first] = error.problems;
      return behaviour(2, error.problems.length, first?.message.length ?? 0, first?.line ?? 0);
    }
  }
}

/** Any argument is an address or a tuple, or is refused with exit code 2. */
export class TupleTarget implements Target {
  readonly name = "tuple";
  readonly episode = 1;
  readonly input = newInput(256);
  private readonly hash = new BucketHash({ mode: "tuple", seed: 1, buckets: 256 });

  seeds(): Uint8Array[] {
    return [
      "10.0.0.1",
      "2001:db8::1",
      "::ffff:192.0.2.1",
      "tcp,10.0.0.1:1234,192.0.2.1:80",
      "udp,[2001:db8::1]:53,[2001:db8::2]:5353",
      "icmp,10.0.0.1,10.0.0.2,77",
      "47,10.0.0.1,10.0.0.2",
      "icmp src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=77",
      "tcp 6 431999 ESTABLISHED src=10.0.0.1 dst=192.0.2.1 sport=1234 dport=80",
    ].map(bytesOf);
  }

  reset(): void {}

  run(length: number): number {
    const text = Buffer.from(this.input.slice(0, length)).toString("latin1");
    try {
      const { packet, isTuple } = parseTuple(text);
      const bucket = this.hash.bucketOf(this.hash.hash(packet));
      check(Number.isInteger(bucket) && bucket >= 0 && bucket < 256, `bucket ${bucket}`);
      return behaviour(1, isTuple ? 1 : 0, packet[0] as number, packet[1] as number);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      check(error.exitCode === 2, `exit code ${error.exitCode}`);
      return behaviour(2, error.message.length - length);
    }
  }
}
