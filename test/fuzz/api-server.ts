/** The API on a socket, with nothing behind it: `uptimeMs` of its status counts the changes. */
import { openApi } from "../../src/api/server.js";
import { STATUS } from "../api/example.js";

let changes = 0;
const change = async () => {
  changes += 1;
};
const lines = async function* () {
  yield "{}\n";
};

await openApi(process.argv[2] as string, {
  status: () => ({ ...STATUS, uptimeMs: changes }),
  flows: lines,
  events: lines,
  drain: change,
  join: change,
  resync: change,
});
process.send?.("ready");
process.once("disconnect", () => process.exit());
