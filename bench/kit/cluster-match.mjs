/**
 * The system that shardwall replaces, set up as its documentation does (clusterip.sh of
 * conntrack-tools, without its SNAT): the iptables `cluster` match, arptables and `ip maddr`.
 */
import { INSIDE, nodeMac, OUTSIDE } from "../../dist/demo/topology.js";

const SEED = "0xdeadbeef";
const MARK = "0xffff";

const SIDES = [
  { interface: "eth1", cable: "inside", ...INSIDE },
  { interface: "eth2", cable: "outside", ...OUTSIDE },
];

/** One node that routes, without a rule and without connection tracking: nothing can be cheaper. */
export async function startRouter(lab) {
  const lines = SIDES.map(
    ({ interface: name, cluster }) => `address add ${cluster[0]} dev ${name}`,
  );
  lab.exec("node1", ["ip", "-batch", "-"], `${lines.join("\n")}\n`);
}

export async function startClusterMatch(lab) {
  for (const id of lab.nodes) startNode(lab, id, [id], lab.nodes.length);
}

/** @param shares numbers of the shares this node handles: more than its own after a takeover */
export function startNode(lab, id, shares, total) {
  const role = `node${id}`;
  lab.exec(role, ["sh", "-e"], "echo 0 >/proc/sys/net/netfilter/nf_conntrack_tcp_loose");
  for (const { interface: name, cable, mac, cluster } of SIDES) {
    const address = `address add ${cluster[0]} dev ${name}`;
    lab.exec(role, ["ip", "-batch", "-"], `${address}\nmaddress add ${mac} dev ${name}\n`);
    const out = ["-o", name, "--h-length", "6", "-j", "mangle", "--mangle-mac-s", mac];
    lab.exec(role, ["arptables", "-A", "OUTPUT", ...out]);
    const real = ["-j", "mangle", "--mangle-mac-d", nodeMac(cable, id)];
    const into = ["-i", name, "--h-length", "6", "--destination-mac", mac, ...real];
    lab.exec(role, ["arptables", "-A", "INPUT", ...into]);
  }
  lab.exec(role, ["iptables-restore"], rulesText(shares, total));
}

function rulesText(shares, total) {
  const names = SIDES.map((side) => side.interface);
  const own = names.flatMap((name) =>
    shares.map((share) => {
      const cluster = `--cluster-total-nodes ${total} --cluster-local-node ${share}`;
      const match = `-m cluster ${cluster} --cluster-hash-seed ${SEED}`;
      return `-A CLUSTER-RULES -i ${name} ${match} -j MARK --set-mark ${MARK}`;
    }),
  );
  const drops = names.map((name) => `-A PREROUTING -i ${name} -m mark ! --mark ${MARK} -j DROP`);
  return `*mangle
:CLUSTER-RULES - [0:0]
-A PREROUTING -i eth2 -m state --state INVALID -j DROP
-A PREROUTING -j CLUSTER-RULES
${own.join("\n")}
${drops.join("\n")}
COMMIT
`;
}
