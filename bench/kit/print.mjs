/** How a report looks on a terminal and as JSON: the same figures in both. */

const digits = (value) => (Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);
const number = (value) => value.toFixed(digits(value));
const range = ({ median, min, max }) => `${number(median)} (${number(min)}-${number(max)})`;

/** Head and rows as text: figures with their spread, and the ratios of those that have one. */
export function tableOf({ units, rows }) {
  const columns = Object.entries(units).flatMap(([key, unit]) => {
    const figures = {
      head: `${key} (${unit})`,
      of: ({ values }) => (values[key] ? range(values[key]) : "-"),
    };
    const ratios = {
      head: "ratio",
      of: (row) => (row.ratios[key] ? range(row.ratios[key]) : "-"),
    };
    return rows.some((row) => row.ratios[key]) ? [figures, ratios] : [figures];
  });
  const lines = rows.map((row) => [row.name, ...columns.map(({ of }) => of(row))]);
  return [["", ...columns.map(({ head }) => head)], ...lines];
}

export const machineLine = (machine) =>
  Object.entries(machine)
    .map(([key, value]) => `${key} ${value}`)
    .join(", ");

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
  const { targets, notes } = report;
  console.log(`${report.name}: ${report.about}`);
  console.log(machineLine(report.machine));
  console.log(`${legend(report)}\n`);
  for (const line of columns(tableOf(report))) console.log(line);
  for (const each of targets) console.log(`\n${targetLine(each)}`);
  for (const note of notes) console.log(`\n${note}`);
}

export const legend = ({ rounds, reference }) =>
  `median (least-most) of ${rounds} rounds${reference ? `; ratios to ${reference}` : ""}`;

export function targetLine({ what, wanted, found, met }) {
  return `target: ${what} ${wanted}; found ${number(found)}: ${met ? "met" : "MISSED"}`;
}

/** @param found the figure, @param limit the target, @param sense "at most" or "at least" */
export function target(what, found, sense, limit) {
  const met = sense === "at most" ? found <= limit : found >= limit;
  return { what, wanted: `${sense} ${limit}`, found, met };
}
