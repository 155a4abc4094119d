/** Reports in a document: between marks that carry their names, so that nobody types a figure. */
import { readFileSync, writeFileSync } from "node:fs";
import { legend, machineLine, tableOf, targetLine } from "./print.mjs";

/** Replaces what stands between the marks of the report's name. @throws Error without such marks */
export function writeInto(path, report) {
  const text = readFileSync(path, "utf8");
  const [begin, end] = [`<!-- bench ${report.name} -->`, `<!-- end ${report.name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${path} has no place for ${report.name}: ${begin}`);
  const head = text.slice(0, from + begin.length);
  writeFileSync(path, `${head}\n${sectionOf(report)}\n${text.slice(to)}`);
}

function sectionOf(report) {
  const rows = tableOf(report).map((cells) => `| ${cells.join(" | ")} |`);
  rows.splice(1, 0, rows[0].replace(/[^|]+/g, "---"));
  return [
    `\`npm run bench -- ${report.name} --rounds ${report.rounds}\`: ${report.about}.`,
    "",
    ...rows,
    "",
    ...[legend(report), ...report.targets.map(targetLine), ...report.notes].map(
      (each) => `- ${each}`,
    ),
    `- ${machineLine(report.machine)}`,
  ].join("\n");
}
