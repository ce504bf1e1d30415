// Running the test files: node's own runner, a process per file, a reporter of our own.
import { globSync } from "node:fs";
import { run } from "node:test";

import { flags } from "../launch/run.mjs";
import { Report } from "./report.ts";
import { root } from "./tool.ts";
import { type Tally, timed } from "./tally.ts";

const fileTimeoutMs = 15 * 60_000;

export interface Selection {
  /** Parts of paths; a file is taken when its path contains one of them. None takes all. */
  readonly paths: readonly string[];
  /** Text that a test's full name must contain. */
  readonly grep?: string;
}

/** Runs the selected tests and adds them to the tally. */
export async function runTests(selection: Selection, tally: Tally): Promise<void> {
  const files = globSync("test/**/*.test.ts", { cwd: root })
    .toSorted()
    .filter((file) => selection.paths.length === 0 || selection.paths.some((path) => file.includes(path)));
  const report = new Report(files.length);
  if (files.length > 0) {
    await timed(
      `tests in ${files.length} files`,
      () => runFiles(files, selection.grep, report),
      () => (report.failed === 0 && report.passed > 0 ? "ok  " : "FAIL"),
    );
  }
  report.close();
  tally.passed += report.passed;
  tally.failed += report.failed;
  tally.skipped += report.skipped;
  if (report.passed + report.failed + report.skipped === 0) {
    console.log(`FAIL no test was found${selection.grep === undefined ? "" : ` with "${selection.grep}" in its name`}`);
    tally.failed += 1;
  }
}

async function runFiles(files: readonly string[], grep: string | undefined, report: Report): Promise<void> {
  const events = run({
    files,
    cwd: root,
    isolation: "process",
    concurrency: 2,
    timeout: fileTimeoutMs,
    execArgv: [...flags, `--import=${new URL("end.mjs", import.meta.url).href}`],
    ...(grep === undefined ? {} : { testNamePatterns: [literally(grep)] }),
  });
  for await (const event of events) report.take(event);
}

function literally(text: string): RegExp {
  return new RegExp(text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
}
