/**
 * conntrackd between the nodes of a lab, in the mode and with the values of its own example for FT-FW
 * (/usr/share/doc/conntrackd/examples/sync/ftfw); other are only the names of files and interfaces.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { INSIDE, OUTSIDE, SYNC, syncAddress } from "../../dist/demo/topology.js";
import { drained } from "./http.mjs";

const plain = (address) => address.split("/")[0];

/** @param protocols those to be replicated */
function configText(lab, id, protocols) {
  const ignored = [
    "127.0.0.1",
    ...[INSIDE, OUTSIDE].map(({ cluster }) => plain(cluster[0])),
    ...lab.nodes.map((node) => plain(syncAddress(node))),
  ];
  return `Sync {
  Mode FTFW {
  }
  Multicast {
    IPv4_address ${SYNC.group}
    Group ${SYNC.port}
    IPv4_interface ${plain(syncAddress(id))}
    Interface eth3
    SndSocketBuffer 1249280
    RcvSocketBuffer 1249280
    Checksum on
  }
}
General {
  HashSize 32768
  HashLimit 262144
  LogFile ${file(lab, id, "log")}
  LockFile ${file(lab, id, "lock")}
  UNIX {
    Path ${file(lab, id, "ctl")}
  }
  NetlinkBufferSize 2097152
  NetlinkBufferSizeMaxGrowth 8388608
  Filter From Userspace {
    Protocol Accept {
      ${protocols.join("\n      ")}
    }
    Address Ignore {
${ignored.map((address) => `      IPv4_address ${address}`).join("\n")}
    }
  }
}
`;
}

const file = (lab, id, ending) => join(lab.directory, `conntrackd-${id}.${ending}`);

/** The command line that asks, or orders, the daemon of a node. */
export const asking = (lab, id, ...flags) => ["conntrackd", "-C", file(lab, id, "conf"), ...flags];

/** Starts the daemon of each node. @returns their processes, by node */
export async function startConntrackd(lab, protocols) {
  const daemons = new Map();
  for (const id of lab.nodes) {
    writeFileSync(file(lab, id, "conf"), configText(lab, id, protocols));
    daemons.set(id, drained(lab.spawn(`node${id}`, asking(lab, id))));
    await lab.waitFor(`conntrackd of node ${id}`, () => caches(lab, id) !== null);
  }
  return daemons;
}

/** Entries that a daemon has: `internal` its own node's, `external` the other's; null if it is not up. */
export function caches(lab, id) {
  let text;
  try {
    text = lab.exec(`node${id}`, asking(lab, id, "-s"));
  } catch {
    return null;
  }
  const [internal, external] = [...text.matchAll(/current active connections:\s+(\d+)/g)].map(
    ([, count]) => Number(count),
  );
  return { internal, external };
}
