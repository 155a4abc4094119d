/** What the mirror takes for each flow and direction; one entry serves both directions. */

import { alternate, rowsOf } from "./kit/figures.mjs";
import { fullMirror, PLACES_PER_FLOW } from "./kit/mirror.mjs";
import { target } from "./kit/print.mjs";

export const about = "bytes of the mirror per flow and direction, filled with flows";
export const rounds = 1;

const SEED = 0xdeadbeef;
const SIZES = { "1 k": 2 ** 10, "100 k": 2 ** 17, "1 M": 2 ** 20 };
const DIRECTIONS = 2;
const LIMIT_BYTES = 96;

export async function run({ rounds: times, onRound }) {
  const contestants = Object.entries(SIZES).map(([name, flows]) => ({
    name: `${name} flows`,
    run: () => {
      const { bytes, missing } = fullMirror(flows, SEED);
      return { bytes: bytes / (flows - missing) / DIRECTIONS, missing: (100 * missing) / flows };
    },
  }));
  const rows = rowsOf(await alternate(contestants, times, onRound), "1 k flows");
  const largest = rows.at(-1).values.bytes.median;
  return {
    reference: "1 k flows",
    units: { bytes: "B", missing: "% of the flows" },
    rows,
    targets: [target("1 M flows, bytes per direction", largest, "at most", LIMIT_BYTES)],
    notes: [`${PLACES_PER_FLOW} places per flow; missing: flows whose set of the mirror was full`],
  };
}
