/** Text for terminals: short aligned tables in the manner of `ip` and `conntrack`. */
import type { Run } from "../api/report.js";

/** Columns are padded to their widest cell; numbers stand on the right. */
export function table(head: readonly string[], rows: readonly (string | number)[][]): string {
  const cells = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, at) => Math.max(...cells.map((row) => (row[at] ?? "").length)));
  const right = head.map((_, at) => rows.some((row) => typeof row[at] === "number"));
  return cells
    .map((row) =>
      row
        .map((cell, at) => {
          const width = widths[at] as number;
          return right[at] ? cell.padStart(width) : cell.padEnd(width);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Lines of `name  value`, the names as wide as the widest. */
export function fields(pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n");
}

/** `0-84,170`, or `none`. */
export function rangeText(range: readonly Run[]): string {
  if (range.length === 0) return "none";
  return range.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(",");
}

/** Milliseconds as `35ms`, `4.2s`, `12m5s`, `3h20m` or `5d4h`. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${(ms / 1000).toFixed(1)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m${seconds % 60}s`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours}h${minutes % 60}m` : `${Math.floor(hours / 24)}d${hours % 24}h`;
}

/** A count with a share of the whole, `12034 (40.1%)`. */
export function shareText(part: number, whole: number): string {
  return whole === 0 ? String(part) : `${part} (${((100 * part) / whole).toFixed(1)}%)`;
}

/** Writes a line to stdout; the one place the commands print results. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Writes a line to stderr: progress and warnings, so that stdout stays a result. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
