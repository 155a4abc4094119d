/** One thing wrong with a configuration, told so that it can be put right without a manual. */
export interface Problem {
  /** Dotted path of the key, `links[0].port`; empty for the file as a whole. */
  readonly path: string;
  /** Line in the file, counted from 1; null where there is no file or no such line. */
  readonly line: number | null;
  readonly message: string;
  /** What is allowed there; null where the message says it all. */
  readonly allowed: string | null;
}

/** A place in the parsed text: keys and list positions from the root. */
export type Path = readonly (string | number)[];

/** A problem before its line is known. */
export interface Finding {
  readonly path: Path;
  readonly message: string;
  readonly allowed?: string;
}

/** `["links", 0, "port"]` to `links[0].port`. */
export function pathText(path: Path): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else text += text === "" ? step : `.${step}`;
  }
  return text;
}

/** `FILE:LINE: key.path: message (allowed: ...)`, the parts that are unknown left out. */
export function problemText(file: string, problem: Problem): string {
  const place = problem.line === null ? file : `${file}:${problem.line}`;
  const key = problem.path === "" ? "" : `${problem.path}: `;
  const allowed = problem.allowed === null ? "" : ` (allowed: ${problem.allowed})`;
  return `${place}: ${key}${problem.message}${allowed}`;
}

/** Thrown by everything that loads configuration: all problems of a file at once. */
export class ConfigError extends Error {
  readonly file: string;
  readonly problems: readonly Problem[];
  /** 2 = the input is wrong, 3 = we may not read it. */
  readonly exitCode: 2 | 3;

  constructor(file: string, problems: readonly Problem[], exitCode: 2 | 3 = 2) {
    super(problems.map((problem) => problemText(file, problem)).join("\n"));
    this.name = "ConfigError";
    this.file = file;
    this.problems = problems;
    this.exitCode = exitCode;
  }
}

/** A `ConfigError` about a file as a whole. */
export function fileError(file: string, message: string, exitCode: 2 | 3 = 2): ConfigError {
  return new ConfigError(file, [{ path: "", line: null, message, allowed: null }], exitCode);
}

/** A finding, with what is allowed where that is not plain from the message. */
export function finding(path: Path, message: string, allowed?: string): Finding {
  return allowed === undefined ? { path, message } : { path, message, allowed };
}
