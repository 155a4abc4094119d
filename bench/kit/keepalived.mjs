/**
 * Two nodes of a lab as keepalived's example for conntrackd makes them: the first has the cluster's
 * addresses by VRRP, the second takes them over. The advertisement interval is VRRP's own, 1 s.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { INSIDE, OUTSIDE } from "../../dist/demo/topology.js";
import { drained } from "./http.mjs";

const MASTER = 1;
const PRIORITIES = { 1: 150, 2: 100 };
const FAILOVER_MS_MAX = 15_000;

const SIDES = [
  {
    name: "inside",
    interface: "eth1",
    network: "192.168.0",
    virtual: INSIDE.cluster[0],
    router: 61,
  },
  {
    name: "outside",
    interface: "eth2",
    network: "192.168.1",
    virtual: OUTSIDE.cluster[0],
    router: 62,
  },
];

function configText(id) {
  const instances = SIDES.map(
    (side) => `vrrp_instance ${side.name} {
  interface ${side.interface}
  state BACKUP
  virtual_router_id ${side.router}
  priority ${PRIORITIES[id]}
  advert_int 1
  virtual_ipaddress {
    ${side.virtual} dev ${side.interface}
  }
}
`,
  );
  return `global_defs {
  router_id node${id}
}
vrrp_sync_group cluster {
  group {
    ${SIDES.map(({ name }) => name).join("\n    ")}
  }
}
${instances.join("")}`;
}

/** A stateful firewall: without rules that ask for it, the kernel tracks nothing. */
const RULES = `*filter
:FORWARD DROP [0:0]
-A FORWARD -m state --state ESTABLISHED,RELATED -j ACCEPT
-A FORWARD -i eth1 -m state --state NEW -j ACCEPT
COMMIT
`;

/** Starts keepalived on both; resolves when the first node is the master. */
export async function startKeepalived(lab) {
  for (const id of lab.nodes) {
    const own = SIDES.map(
      (side) => `address add ${side.network}.${200 + id}/24 dev ${side.interface}`,
    );
    lab.exec(`node${id}`, ["ip", "-batch", "-"], own.join("\n"));
    lab.exec(`node${id}`, ["iptables-restore"], RULES);
    const file = (ending) => join(lab.directory, `keepalived-${id}.${ending}`);
    writeFileSync(file("conf"), configText(id), { mode: 0o644 });
    const pids = ["-p", file("pid"), "-r", file("vrrp.pid")];
    const argv = ["keepalived", "-n", "-l", "-P", "-f", file("conf"), ...pids];
    drained(lab.spawn(`node${id}`, argv));
  }
  await untilMaster(lab, MASTER);
}

/** Resolves when a node has the cluster's addresses. */
export function untilMaster(lab, id) {
  const has = ({ interface: name, virtual }) =>
    lab.exec(`node${id}`, ["ip", "-o", "address", "show", name]).includes(virtual);
  return lab.waitFor(`VRRP master ${id}`, () => SIDES.every(has), FAILOVER_MS_MAX);
}
