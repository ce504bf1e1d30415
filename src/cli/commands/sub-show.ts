import type { Command } from "commander";
import { formatTime } from "../../event/instant.ts";
import type { Equation, SubscriptionReport } from "../../admin/subscriptions.ts";
import type { Output } from "../output.ts";
import { withSession } from "../session.ts";
import { formatDuration, plural } from "../values.ts";

/** `tidings sub show`. */
export function configure(command: Command): void {
  command
    .argument("<subscription>", "payments/orders, or the service when it has only one")
    .addHelpText("before", "Examples:\n  tidings sub show payments/orders\n  tidings sub show payments\n")
    .action((name: string) =>
      withSession(command, "read", async ({ admin, out }) => {
        const report = await admin.subscriptions.show(name);
        await out.result(report, () => reportText(out, report));
      }),
    );
}

function reportText(out: Output, report: SubscriptionReport): string {
  const { definition, paused, equation } = report;
  const until = paused?.untilMs === undefined ? "until it is resumed" : `until ${formatTime(paused.untilMs)}`;
  const pairs = out.pairs([
    ["subscription", report.subscription],
    ["status", report.status],
    ["paused", paused && `since ${formatTime(paused.sinceMs)} ${until} by ${paused.by}: ${paused.reason}`],
    ...report.breakers.map(({ breaker, state, sinceMs, reason }): [string, string] => [
      "breaker",
      state === "closed" ? `${breaker}: closed` : `${breaker}: ${state} since ${formatTime(sinceMs)}: ${reason}`,
    ]),
    ["members", report.members.join(", ") || "none: no process runs it"],
    [
      "handles",
      Object.entries(definition.types)
        .map(([type, version]) => `${type} v${version}`)
        .join(", "),
    ],
    ["guarantee", definition.guarantee],
    ["on failure", definition.onFailure],
    ["epoch", definition.epoch],
    ["began at", definition.from],
    ["pending", report.pending === 0 ? 0 : `${report.pending}, the oldest for ${formatDuration(report.oldestAgeMs)}`],
    ["backlog limit", definition.backlog && `${plural(definition.backlog.eventsMax, "event")} pending`],
    ["held", `${plural(report.heldEvents, "event")} of ${plural(report.heldKeys, "key")}`],
    ["dead letters", report.deadLetters],
    ["since its start", equationText(equation)],
  ]);
  return `${pairs}\n${partitionTable(out, report)}`;
}

/** Promise P3 in one line. */
export function equationText(equation: Equation): string {
  const names = ["handled", "held", "discarded", "filtered", "expired", "skipped", "unknown", "pending"] as const;
  const parts = names.filter((name) => equation[name] !== 0 || name === "handled" || name === "pending");
  const sum = parts.map((name) => `${equation[name]} ${name}`).join(" + ");
  return `${plural(equation.total, "event")} = ${sum}${equation.holds ? "" : `  (BUT THAT IS ${equation.sum})`}`;
}

function partitionTable(out: Output, { partitions }: SubscriptionReport): string {
  return out.table(
    [
      { title: "PARTITION", value: ({ partition }) => partition, right: true },
      { title: "RUN", value: ({ run }) => run, right: true },
      { title: "START", value: ({ start }) => start, right: true },
      { title: "LOW", value: ({ low }) => low, right: true },
      { title: "NEXT", value: ({ next }) => next, right: true },
      { title: "PENDING", value: ({ pending }) => pending, right: true },
      { title: "MOVED", value: ({ movedAtMs }) => formatTime(movedAtMs) },
      { title: "OWNER", value: ({ owner }) => owner ?? "-" },
    ],
    partitions,
  );
}
