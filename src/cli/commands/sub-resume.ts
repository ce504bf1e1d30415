import type { Command } from "commander";
import { withSession } from "../session.ts";

const examples = `Examples:
  tidings sub resume payments
  tidings sub resume payments --key 42
`;

/** `tidings sub resume`. */
export function configure(command: Command): void {
  command
    .argument("<subscription>", "payments/orders, or the service when it has only one")
    .option("--key <key>", "resume only the events of this ordering key")
    .option("--dry-run", "say what would be done")
    .addHelpText("before", examples)
    .action((asked: string, options: { key?: string; dryRun?: boolean }) =>
      withSession(command, options.dryRun ? "read" : "change", async ({ admin, out, signal }) => {
        const { key } = options;
        const { subscription } = await admin.subscriptions.show(asked);
        if (!options.dryRun) {
          if (key === undefined) await admin.subscriptions.resume(subscription);
          else await admin.heldKeys.resume(subscription, key, { signal });
        }
        const what = key === undefined ? subscription : `key ${JSON.stringify(key)} of ${subscription}`;
        await out.result({ subscription, key, resumed: !options.dryRun }, () =>
          options.dryRun ? `Would resume ${what}.\n` : `Resumed ${what}.\n`,
        );
      }),
    );
}
