/**
 * A short run of the addon under the sanitizers; `npm run sanitize` runs all of its tests so.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const SCRIPT = fileURLToPath(new URL("../../scripts/sanitize.mjs", import.meta.url));
const GUARDS = "test/platform/guard.test.ts";

const library = String(spawnSync("g++", ["-print-file-name=libasan.so"]).stdout).trim();
const where = library.startsWith("/")
  ? { run: test, why: "" }
  : { run: test.skip, why: " (SKIPPED: g++ has no libasan.so; install libasan8)" };

where.run(
  `hostile messages and wrong arguments leave the sanitizers calm${where.why}`,
  () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, GUARDS], {
      encoding: "utf8",
      timeout: 240_000,
    });
    const said = `${stdout}${stderr}`;
    expect([status, said]).toEqual([0, said]);
    expect(said).toContain("1000000 messages");
  },
  300_000,
);
