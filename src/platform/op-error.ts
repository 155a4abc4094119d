/** A failed operation: what was tried, the system's answer, and what the user can do. */
export class OpError extends Error {
  /** @param code errno name such as `EPERM`, or empty when the system gave none */
  constructor(
    readonly operation: string,
    readonly code: string,
    readonly hint: string,
    options?: { cause?: unknown },
  ) {
    super(`${operation}${code ? `: ${code}` : ""}${hint ? ` (${hint})` : ""}`, options);
    this.name = "OpError";
  }

  /** Missing permission or kernel support: the command exits with 3. */
  get isMissingSupport(): boolean {
    return ["EPERM", "EACCES", "EOPNOTSUPP", "EPROTONOSUPPORT", "EAFNOSUPPORT"].includes(this.code);
  }
}

/** The errno name of an error thrown by Node or by the addon, or an empty string. */
export function errnoName(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === "string" ? code : "";
}

/** Runs `action`; whatever it throws becomes an {@link OpError}. */
export function operation<T>(name: string, hint: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    if (cause instanceof OpError) throw cause;
    throw new OpError(name, errnoName(cause) || String((cause as Error).message), hint, { cause });
  }
}

/** An error of another thread: the way between threads keeps its fields, but not its class. */
export function revived(error: Error): Error {
  const { name, operation, code, hint } = error as Partial<OpError>;
  if (name !== "OpError" || operation === undefined) return error;
  return new OpError(operation, code ?? "", hint ?? "", { cause: error });
}
