// Run inside a node's namespace: makes so many established TCP flows in its connection tracking,
// spread over all buckets, at a bounded rate. Arguments: flows, flows per second. Tells how many the
// kernel refused.
import { setTimeout as sleep } from "node:timers/promises";
import { LAB_HASH } from "../../dist/demo/node-process.js";
import { IPS } from "../../dist/kernel/conntrack/constants.js";
import { newFlow, PRESENT } from "../../dist/kernel/conntrack/record.js";
import { ConntrackTable } from "../../dist/kernel/conntrack/table.js";
import { inverseOf } from "../../dist/kernel/conntrack/tuple.js";
import { MarkField } from "../../dist/state/mark-field.js";

const MARK_MASK = 0xffff0000;
const STEP_MS = 20;
const TCP = 6;
const ESTABLISHED = 3;
const PORTS = 50_000;

const [count, perSecond] = process.argv.slice(2).map(Number);
const field = new MarkField(MARK_MASK);

/** Flow number `index`, all different. */
function flow(index) {
  const record = Object.assign(newFlow(), {
    present: PRESENT.STATUS | PRESENT.TIMEOUT | PRESENT.MARK | PRESENT.PROTOINFO,
    status: IPS.SEEN_REPLY | IPS.ASSURED,
    timeoutS: 86_400,
    mark: field.encode(index % LAB_HASH.buckets),
    state: ESTABLISHED,
  });
  const client = Math.floor(index / PORTS);
  Object.assign(record.original, { family: 4, protocol: TCP, dstPort: 443 });
  record.original.srcPort = 1024 + (index % PORTS);
  record.original.src.set([192, 168, 0, 10 + client]);
  record.original.dst.set([192, 168, 1, 2]);
  return { ...record, reply: inverseOf(record.original) };
}

const table = new ConntrackTable();
const step = Math.ceil((perSecond * STEP_MS) / 1000);
let refused = 0;
for (let made = 0; made < count; made += step) {
  const flows = Array.from({ length: Math.min(step, count - made) }, (_, at) => flow(made + at));
  refused += table.create(flows).filter((errno) => errno !== 0).length;
  await sleep(STEP_MS);
}
table.close();
console.log(refused);
