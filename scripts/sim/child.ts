// A process of the simulation: runs a range of seeds and answers with one line.
import { simulate } from "tidings/testing";

import type { SimTask } from "./lines.ts";
import { ownSimulation } from "./workload.ts";

const task = JSON.parse(process.argv[2] ?? "{}") as SimTask;
// A rejection that nobody handles would end a process of production.
let unhandled: string | undefined;
process.on(
  "unhandledRejection",
  (error) => (unhandled ??= error instanceof Error ? (error.stack ?? error.message) : "not an error"),
);

const report = await simulate({ ...ownSimulation, ...task });
const failed = [...report.failed];
if (unhandled !== undefined) {
  const message = `A rejection was handled by nobody, in one of ${task.seeds} seeds: ${unhandled}`;
  failed.push({
    seed: String(task.seed),
    violations: [{ invariant: "OWN", message }],
    keep: undefined,
    events: undefined,
  });
}
const violations = report.violations + failed.length - report.failed.length;
process.stdout.write(`${JSON.stringify({ ...report, failed, violations })}\n`);
