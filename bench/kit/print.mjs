/** How a report looks on a terminal and as JSON: the same figures in both. */

const digits = (value) => (Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);
const number = (value) => value.toFixed(digits(value));
const range = ({ median, min, max }) => `${number(median)} (${number(min)}-${number(max)})`;

function columns(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]))
      .join("  ")
      .trimEnd(),
  );
}

/**
 * @param report `{ name, about, machine, reference, units: { key: unit }, rows, targets, notes }`
 */
export function printReport(report, asJson) {
  if (asJson) {
    console.log(JSON.stringify(report, null, 2));
    return;
  }
  const { units, rows, targets, notes, machine } = report;
  const keys = Object.keys(units);
  const head = ["", ...keys.flatMap((key) => [`${key} (${units[key]})`, "ratio"])];
  const lines = rows.map((row) => [
    row.name,
    ...keys.flatMap((key) => [
      row.values[key] ? range(row.values[key]) : "-",
      row.ratios[key] ? range(row.ratios[key]) : "-",
    ]),
  ]);
  console.log(`${report.name}: ${report.about}`);
  console.log(
    Object.entries(machine)
      .map(([key, value]) => `${key} ${value}`)
      .join(", "),
  );
  console.log(`median (least-most) of ${report.rounds} rounds; ratios to ${report.reference}\n`);
  for (const line of columns([head, ...lines])) console.log(line);
  for (const each of targets) console.log(`\n${targetLine(each)}`);
  for (const note of notes) console.log(`\n${note}`);
}

function targetLine({ what, wanted, found, met }) {
  return `target: ${what} ${wanted}; found ${number(found)}: ${met ? "met" : "MISSED"}`;
}

/** @param found the figure, @param limit the target, @param sense "at most" or "at least" */
export function target(what, found, sense, limit) {
  const met = sense === "at most" ? found <= limit : found >= limit;
  return { what, wanted: `${sense} ${limit}`, found, met };
}
