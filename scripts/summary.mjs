/**
 * The closing line of a test run, from vitest's JSON report: `N passed, N failed, N skipped`.
 * Exit code 1 if anything failed, or if there is no report.
 */
import { readFileSync } from "node:fs";

function read(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return null; // The run ended before it could write one.
  }
}

function count(report) {
  if (report === null) return { passed: 0, failed: 1, skipped: 0 };
  const tests = report.testResults.flatMap((file) => file.assertionResults);
  const of = (...states) => tests.filter((test) => states.includes(test.status)).length;
  // A file that cannot be loaded, or whose hooks fail, has no failed test of its own.
  const broken = report.testResults.filter(
    (file) =>
      file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  );
  return {
    passed: of("passed"),
    failed: of("failed") + broken.length,
    skipped: of("skipped", "pending", "todo", "disabled"),
  };
}

const { passed, failed, skipped } = count(read(process.argv[2]));
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed === 0 ? 0 : 1;
