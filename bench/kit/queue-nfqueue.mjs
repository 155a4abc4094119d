/** npm's `nfqueue`, as its documentation uses it: PACKAGE FIRST_QUEUE QUEUES. */
import { createRequire } from "node:module";

const [path, firstQueue, queues] = process.argv.slice(2);
const { createQueueHandler } = createRequire(import.meta.url)(path);
const NF_ACCEPT = 1;
const COPY_BYTES = 65535;
for (let queue = Number(firstQueue); queue < Number(firstQueue) + Number(queues); queue++) {
  createQueueHandler(queue, COPY_BYTES, (packet) => packet.setVerdict(NF_ACCEPT));
}
console.log("ready");
process.stdin.resume().once("end", () => process.exit(0));
