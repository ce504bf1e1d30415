// npm test [-- PATH... --only checks|unit --grep TEXT]: everything that must hold, with the count on the last line.
import { parseArgs } from "node:util";

import { runChecks } from "./test/checks.ts";
import { seconds, type Tally } from "./test/tally.ts";
import { runTests } from "./test/unit.ts";

const usage = `npm test [-- PATH... --only checks|unit --grep TEXT]

  PATH          only test files whose path contains this; leaves the checks out
  --only PART   checks (types, lint, format, build, exports, package) or unit (the tests)
  --grep TEXT   only tests whose name contains this; leaves the checks out
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: "string" }, grep: { type: "string" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help === true) {
    console.log(usage);
    return 0;
  }
  const { only, grep } = values;
  if (only !== undefined && only !== "checks" && only !== "unit") {
    throw new Error(`--only takes "checks" or "unit", not "${only}".`);
  }
  const began = Date.now();
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  const narrowed = positionals.length > 0 || grep !== undefined;
  if (only === "checks" || (only === undefined && !narrowed)) await runChecks(tally);
  if (only !== "checks") await runTests({ paths: positionals, ...(grep === undefined ? {} : { grep }) }, tally);
  console.log(`     all in ${seconds(began)}`);
  console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
  return tally.failed === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  console.error(usage);
  process.exitCode = 2;
}
