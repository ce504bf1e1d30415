import type { Command } from "commander";
import { formatTime } from "../../event/instant.ts";
import { withSession } from "../session.ts";
import { parseEnd } from "../values.ts";

const examples = `Examples:
  tidings breaker open bank-api --reason "maintenance at the bank"
  tidings breaker open bank-api --reason "maintenance at the bank" --until 2h
`;

interface Options {
  readonly reason: string;
  readonly until?: string;
  readonly dryRun?: boolean;
}

/** `tidings breaker open`. */
export function configure(command: Command): void {
  command
    .argument("<breaker>", "the dependency, or payments/orders for a subscription's own")
    .requiredOption("--reason <text>", "why, for whoever looks next")
    .option("--until <time>", "when a probe may begin: 30m, or a time; when it is closed by hand unless given")
    .option("--dry-run", "say what would be done")
    .addHelpText("before", examples)
    .action((name: string, { reason, until, dryRun }: Options) =>
      withSession(command, dryRun ? "read" : "change", async ({ admin, out, platform }) => {
        const untilMs = until === undefined ? undefined : parseEnd("--until", until, platform.clock.now());
        const { breaker } = await admin.breakers.show(name);
        if (!dryRun) await admin.breakers.open(breaker, { reason, ...(untilMs === undefined ? {} : { untilMs }) });
        const end = untilMs === undefined ? "" : ` until ${formatTime(untilMs)}`;
        await out.result({ breaker, reason, untilMs, opened: !dryRun }, () =>
          dryRun ? `Would open ${breaker}${end}.\n` : `Opened ${breaker}${end}.\n`,
        );
      }),
    );
}
