import type { Command } from "commander";
import { TidingsError } from "../../errors/tidings-error.ts";
import type { SubscriptionReport } from "../../admin/subscriptions.ts";
import type { Output } from "../output.ts";
import { withSession } from "../session.ts";
import { formatDuration, parseDuration } from "../values.ts";
import { equationText } from "./sub-show.ts";

const examples = `Examples:
  tidings sub lag                        all subscriptions
  tidings sub lag payments --by-partition
  tidings sub lag --max-age 60s -q       a probe: exit status 7 when one is further behind
`;

/** `tidings sub lag`. */
export function configure(command: Command): void {
  command
    .argument("[subscription]", "payments/orders, or the service when it has only one; all unless given")
    .option("--max-age <duration>", "end with status 7 when the oldest pending event is older")
    .option("--by-partition", "a line for each partition")
    .addHelpText("before", examples)
    .action((name: string | undefined, options: { maxAge?: string; byPartition?: boolean }) =>
      withSession(command, "read", async ({ admin, out }) => {
        const maxAgeMs = options.maxAge === undefined ? undefined : parseDuration("--max-age", options.maxAge);
        const reports = name === undefined ? await admin.subscriptions.list() : [await admin.subscriptions.show(name)];
        const lags = reports.map(({ subscription, status, pending, oldestAgeMs, equation, partitions }) => ({
          subscription, status, pending, oldestAgeMs, equation, partitions,
        })); // prettier-ignore
        await out.result(lags, () => (options.byPartition ? partitionText(out, reports) : lagText(out, reports)));
        if (maxAgeMs !== undefined) checkAge(reports, maxAgeMs);
      }),
    );
}

function lagText(out: Output, reports: readonly SubscriptionReport[]): string {
  if (reports.length === 0) return "There are no subscriptions.\n";
  return out.table(
    [
      { title: "SUBSCRIPTION", value: ({ subscription }) => subscription },
      { title: "STATUS", value: ({ status }) => status },
      { title: "PENDING", value: ({ pending }) => pending, right: true },
      { title: "OLDEST", value: ({ oldestAgeMs }) => formatDuration(oldestAgeMs), right: true },
      { title: "SINCE ITS START", value: ({ equation }) => equationText(equation) },
    ],
    reports,
  );
}

function partitionText(out: Output, reports: readonly SubscriptionReport[]): string {
  return out.table(
    [
      { title: "SUBSCRIPTION", value: ({ subscription }) => subscription },
      { title: "PARTITION", value: ({ partition }) => partition, right: true },
      { title: "LOW", value: ({ low }) => low, right: true },
      { title: "NEXT", value: ({ next }) => next, right: true },
      { title: "PENDING", value: ({ pending }) => pending, right: true },
      { title: "OLDEST", value: ({ oldestAgeMs }) => formatDuration(oldestAgeMs), right: true },
      { title: "OWNER", value: ({ owner }) => owner ?? "-" },
    ],
    reports.flatMap(({ subscription, partitions }) => partitions.map((row) => ({ subscription, ...row }))),
  );
}

function checkAge(reports: readonly SubscriptionReport[], maxAgeMs: number): void {
  const late = reports.filter(({ oldestAgeMs }) => oldestAgeMs > maxAgeMs);
  if (late.length === 0) return;
  const list = late
    .map(({ subscription, oldestAgeMs }) => `${subscription} (${formatDuration(oldestAgeMs)})`)
    .join(", ");
  throw new TidingsError("TIDINGS_LAG_EXCEEDED", `Events wait for longer than ${formatDuration(maxAgeMs)}: ${list}.`, {
    details: { subscriptions: late.length },
  });
}
