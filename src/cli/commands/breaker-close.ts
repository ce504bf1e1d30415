import type { Command } from "commander";
import { TidingsError } from "../../errors/tidings-error.ts";
import { withSession } from "../session.ts";

const examples = `Examples:
  tidings breaker close bank-api --reason "the bank says it is up"
`;

/** `tidings breaker close`. */
export function configure(command: Command): void {
  command
    .argument("<breaker>", "the dependency, or payments/orders for a subscription's own")
    .requiredOption("--reason <text>", "why, for whoever looks next")
    .option("--dry-run", "say what would be done")
    .addHelpText("before", examples)
    .action((name: string, { reason, dryRun }: { reason: string; dryRun?: boolean }) =>
      withSession(command, dryRun ? "read" : "change", async ({ admin, out }) => {
        const { breaker, state } = await admin.breakers.show(name);
        if (state === "closed")
          throw new TidingsError("TIDINGS_BREAKER_STATE", `The circuit breaker "${breaker}" is closed already.`);
        if (!dryRun) await admin.breakers.close(breaker, { reason });
        await out.result({ breaker, reason, closed: !dryRun }, () =>
          dryRun ? `Would close ${breaker}, which is ${state}.\n` : `Closed ${breaker}.\n`,
        );
      }),
    );
}
