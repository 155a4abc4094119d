/**
 * What the demo shows while it runs. On a terminal: event lines that scroll, and below them a
 * picture of the cluster that is drawn over itself. Elsewhere: the events and once a second a
 * line with the same figures.
 */
import type { NodeState, Run } from "../api/report.js";
import { rangeText } from "../cli/output.js";

export interface NodeRow {
  readonly id: number;
  /** `stopped` where the node does not answer. */
  readonly state: NodeState | "stopped";
  readonly range: readonly Run[];
  /** Verdicts of its packet workers. */
  readonly accepted: number;
  readonly dropped: number;
  /** Connections that it opened to the server, per second. */
  readonly hitsPerSecond: number;
}

export interface Frame {
  readonly buckets: number;
  readonly rows: readonly NodeRow[];
  readonly hits: number;
  readonly failed: number;
}

/** Where it is shown: stdout or stderr. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const BAR_CELLS_MIN = 8;
const BAR_CELLS_MAX = 64;
/** Columns of a node's line beside its bar. */
const TEXT_COLUMNS = 60;
const LINE_EVERY_MS = 1000;
const CLEAR_BELOW = "\x1b[J";
const COLUMNS = 80;

export class Show {
  private drawn = 0;
  private lastFrame: Frame | null = null;
  private lastLineMs = Number.NEGATIVE_INFINITY;
  private readonly start: number;

  /** @param now milliseconds; events are told by the time since the making */
  constructor(
    private readonly screen: Screen,
    private readonly now: () => number,
  ) {
    this.start = now();
  }

  /** Something that happened. */
  event(text: string): void {
    this.erase();
    this.screen.write(`${this.clock()}  ${text}\n`);
    if (this.lastFrame !== null) this.draw(this.lastFrame);
  }

  /** How things stand now. */
  frame(frame: Frame): void {
    this.lastFrame = frame;
    if (this.screen.isTTY) {
      this.erase();
      this.draw(frame);
    } else if (this.now() - this.lastLineMs >= LINE_EVERY_MS) {
      this.lastLineMs = this.now();
      this.screen.write(`${this.clock()}  ${frameLine(frame)}\n`);
    }
  }

  /** The last picture stays; what is written next goes below it. */
  end(): void {
    this.drawn = 0;
    this.lastFrame = null;
  }

  private clock(): string {
    return `${((this.now() - this.start) / 1000).toFixed(2).padStart(7)} s`;
  }

  private draw(frame: Frame): void {
    if (!this.screen.isTTY) return;
    const width = this.screen.columns || COLUMNS; // 0 where the size is not known
    // A line that wraps would be two to go up over.
    const lines = frameLines(frame, width).map((line) => line.slice(0, width - 1));
    this.screen.write(`${lines.join("\n")}\n`);
    this.drawn = lines.length;
  }

  private erase(): void {
    if (this.drawn > 0) this.screen.write(`\x1b[${this.drawn}A\r${CLEAR_BELOW}`);
    this.drawn = 0;
  }
}

/** A range as a bar: `#` all of the cell's buckets, `+` some, `.` none. */
export function bar(range: readonly Run[], buckets: number, cells: number): string {
  let text = "";
  for (let cell = 0; cell < cells; cell++) {
    const from = Math.floor((cell * buckets) / cells);
    const to = Math.max(from + 1, Math.floor(((cell + 1) * buckets) / cells));
    let owned = 0;
    for (const [first, last] of range) {
      owned += Math.max(0, Math.min(last + 1, to) - Math.max(first, from));
    }
    text += owned === 0 ? "." : owned >= to - from ? "#" : "+";
  }
  return text;
}

/** The picture of the cluster for a screen of so many columns. */
export function frameLines({ rows, buckets, hits, failed }: Frame, width: number): string[] {
  const cells = Math.max(BAR_CELLS_MIN, Math.min(BAR_CELLS_MAX, width - TEXT_COLUMNS));
  const lines = rows.map((row) => {
    const verdicts = `${row.accepted} accepted ${row.dropped} dropped`;
    const state = row.state.padEnd(8);
    const speed = `${row.hitsPerSecond.toFixed(0).padStart(4)} hits/s`;
    return `node ${row.id} ${state} ${bar(row.range, buckets, cells)} ${speed}  ${verdicts}`;
  });
  const total = rows.reduce((sum, row) => sum + row.hitsPerSecond, 0);
  return ["", ...lines, `hits ${hits}  failed ${failed}  ${total.toFixed(0)} hits/s`];
}

function frameLine({ rows, hits, failed }: Frame): string {
  const each = rows.map(
    (row) => `${row.id}:${row.state} ${rangeText(row.range)} ${row.hitsPerSecond.toFixed(0)}/s`,
  );
  return `hits ${hits} failed ${failed}  ${each.join("  ")}`;
}
