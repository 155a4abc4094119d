/** Memory of a table: zeroed, whole, and on a border of huge pages. */
import { expect, test } from "vitest";
import { native } from "../../src/platform/native.js";
import { tableMemory } from "../../src/platform/table-memory.js";

const HUGE_PAGE = 2 ** 21;

test.each([0, 64, HUGE_PAGE, 3 * HUGE_PAGE + 5])(
  "has room for %i bytes behind a border",
  (bytes) => {
    const { buffer, at } = tableMemory(bytes);
    expect(at).toBeLessThan(HUGE_PAGE);
    expect(buffer.byteLength - at).toBeGreaterThanOrEqual(bytes);
    const table = new Uint8Array(buffer, at);
    expect(table.every((byte) => byte === 0)).toBe(true);
    if (table.length >= HUGE_PAGE) expect(native.alignTable(table)).toBe(0);
  },
);
