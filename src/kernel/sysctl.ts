/** Kernel settings under /proc/sys; in an unprivileged container they may be read-only. */
import { readFileSync, writeFileSync } from "node:fs";

const path = (name: string) => `/proc/sys/${name.replaceAll(".", "/")}`;

/** The value, or null when the kernel does not have the setting. */
export function readSysctl(name: string): string | null {
  try {
    return readFileSync(path(name), "utf8").trim();
  } catch {
    return null;
  }
}

/** Whether the setting has the value afterwards. */
export function writeSysctl(name: string, value: string): boolean {
  try {
    writeFileSync(path(name), value);
  } catch {
    return readSysctl(name) === value;
  }
  return true;
}
