/**
 * Puts one node's rules, addresses and settings into the kernel and takes them out again.
 *
 * What cannot be told from the kernel afterwards (which address was there before us, what a setting
 * was) is written to a record file first, so that a start after `kill -9` still knows what to take
 * away at its end.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { type LinkGroup, native } from "../platform/native.js";
import { operation } from "../platform/op-error.js";
import { addAddresses, missingAddresses, readLink, removeAddresses } from "./address.js";
import type { EarlyDrop } from "./bpf/early-drop.js";
import { runTool } from "./command.js";
import { ALWAYS, EVENTS_SYSCTL } from "./conntrack/events.js";
import { NetlinkWriter } from "./netlink.js";
import { NfTables } from "./request.js";
import {
  forwardAllText,
  type RulesetSettings,
  removalText,
  rulesetText,
  targetsBytes,
  writeTargets,
} from "./ruleset.js";
import { readSysctl, writeSysctl } from "./sysctl.js";

const TCP_LOOSE = "net.netfilter.nf_conntrack_tcp_loose";

export interface InstallSettings extends RulesetSettings {
  /** Drop TCP of unknown connections in the kernel while we run (tcp_loose = 0). */
  readonly strictTcp: boolean;
  /** File that remembers what was there before us. */
  readonly recordFile: string;
}

/** What was there before us. */
interface RestoreRecord {
  readonly addresses: Record<string, string[]>;
  /** Values of kernel settings, by name. */
  readonly sysctls: Record<string, string>;
}

const NOTHING: RestoreRecord = { addresses: {}, sysctls: {} };

/** The kernel side of a running node. */
export class Installation {
  private readonly groups: LinkGroup[] = [];
  /** ifindex of each interface at the last installation. */
  private readonly indices = new Map<string, number>();
  /** Things the user should know that do not stop us. */
  readonly warnings: string[] = [];

  /** Its programs stand while the rules do; null without early drop. */
  early: EarlyDrop | null = null;

  constructor(private readonly settings: InstallSettings) {}

  /** Installs or repairs; safe to repeat. @throws OpError */
  install(): void {
    const { interfaces } = this.settings;
    this.warnings.length = 0;
    this.closeGroups();
    for (const link of interfaces) this.joinGroup(link.name, link.mac);
    this.loadRules();
    // Addresses come after the ARP rule: no answer may ever carry the interface's own MAC.
    const missing = interfaces.map((link) => missingAddresses(link.name, link.addresses));
    this.remember(missing);
    interfaces.forEach((link, index) => {
      addAddresses(link.name, missing[index] as string[]);
    });
    this.setSysctls();
    this.attachEarly();
  }

  /**
   * What is there but no longer as installed, in words; null when a repair would change nothing.
   */
  damage(): string | null {
    for (const { name, addresses } of this.settings.interfaces) {
      try {
        if (readLink(name).ifindex !== this.indices.get(name)) return `${name} was made anew`;
        const [missing] = missingAddresses(name, addresses);
        if (missing !== undefined) return `${name} lost the address ${missing}`;
      } catch {
        // The interface is gone; nothing can be repaired before it is back.
      }
    }
    return null;
  }

  /** Takes everything of ours out; what others put there stays. @throws OpError */
  remove(): void {
    this.early?.detach();
    const record = readRecord(this.settings.recordFile);
    for (const [name, addresses] of Object.entries(record.addresses)) {
      removeAddresses(name, addresses);
    }
    runTool("nft", ["-f", "-"], removalText(this.settings.table));
    restoreSysctls(record);
    this.closeGroups();
    rmSync(this.settings.recordFile, { force: true });
  }

  /** Leaves a node that forwards everything: addresses, ARP answers, no queue. */
  leaveForwarding(): void {
    this.early?.detach();
    runTool("nft", ["-f", "-"], forwardAllText(this.settings));
    restoreSysctls(readRecord(this.settings.recordFile));
    this.closeGroups();
  }

  /** Without it nothing is wrong, only slower. */
  private attachEarly(): void {
    try {
      this.early?.attach(
        this.settings.interfaces.map(({ name, mac }) => ({
          mac,
          ifindex: this.indices.get(name) as number,
        })),
      );
    } catch (error) {
      this.early?.detach();
      this.warnings.push(`no early drop: ${(error as Error).message}`);
    }
  }

  private loadRules(): void {
    const { settings } = this;
    runTool("nft", ["-f", "-"], rulesetText(settings));
    const writer = new NetlinkWriter(targetsBytes(settings));
    const expected = writeTargets(writer, settings);
    const tables = new NfTables();
    try {
      tables.apply("install the rules that nft cannot say", writer, expected);
    } finally {
      tables.close();
    }
  }

  private joinGroup(name: string, mac: string): void {
    const { ifindex } = readLink(name);
    const bytes = Buffer.from(mac.replaceAll(":", ""), "hex");
    const group = operation(`receive frames to ${mac} on ${name}`, "needs CAP_NET_RAW", () => {
      return new native.LinkGroup(ifindex, bytes);
    });
    this.groups.push(group);
    this.indices.set(name, ifindex);
  }

  private closeGroups(): void {
    for (const group of this.groups.splice(0)) group.close();
  }

  /**
   * Adds to the record what we are about to change. A value recorded by an earlier start is the
   * older truth.
   */
  private remember(missing: readonly string[][]): void {
    const { recordFile, interfaces } = this.settings;
    const record = readRecord(recordFile);
    const addresses = { ...record.addresses };
    interfaces.forEach((link, index) => {
      const ours = [...(addresses[link.name] ?? []), ...(missing[index] as string[])];
      addresses[link.name] = [...new Set(ours)];
    });
    const sysctls = { ...record.sysctls };
    for (const name of Object.keys(this.wantedSysctls())) {
      const before = readSysctl(name);
      if (before !== null) sysctls[name] ??= before;
    }
    writeRecord(recordFile, { addresses, sysctls });
  }

  private wantedSysctls(): Record<string, string> {
    return { [EVENTS_SYSCTL]: ALWAYS, ...(this.settings.strictTcp ? { [TCP_LOOSE]: "0" } : {}) };
  }

  /** In a container they may be read-only: that has a price, which is said; nothing fails. */
  private setSysctls(): void {
    for (const [name, value] of Object.entries(this.wantedSysctls())) {
      if (writeSysctl(name, value)) continue;
      this.warnings.push(`${name} may not be set to ${value} here: ${SYSCTL_PRICE[name]}`);
    }
  }
}

/** What is lost where a setting may not be changed. */
const SYSCTL_PRICE: Readonly<Record<string, string>> = {
  [TCP_LOOSE]:
    "TCP of unknown connections is refused by the packet workers instead of the kernel, " +
    "which costs more per packet",
  [EVENTS_SYSCTL]: "the end of connections that are older than this start is noticed later",
};

function restoreSysctls(record: RestoreRecord): void {
  for (const [name, value] of Object.entries(record.sysctls)) writeSysctl(name, value);
}

function readRecord(file: string): RestoreRecord {
  try {
    return { ...NOTHING, ...(JSON.parse(readFileSync(file, "utf8")) as Partial<RestoreRecord>) };
  } catch {
    return NOTHING; // none yet, or cut short by a crash while it was first written
  }
}

/** Written beside and renamed, so that a crash leaves the old record or the new one. */
function writeRecord(file: string, record: RestoreRecord): void {
  operation(`write ${file}`, "its directory must be writable", () => {
    writeFileSync(`${file}.new`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  });
}
