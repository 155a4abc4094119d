/**
 * A failure a command reports to its user: the message says what is wrong and how to fix it.
 * Exit codes: 0 done, 1 failed, 2 bad input, 3 missing permission or kernel support.
 */
export class CliError extends Error {
  readonly exitCode: 0 | 1 | 2 | 3;

  constructor(message: string, exitCode: 0 | 1 | 2 | 3) {
    super(message);
    this.name = "CliError";
    this.exitCode = exitCode;
  }
}
