import type { Command } from "commander";
import { formatTime } from "../../event/instant.ts";
import { withSession } from "../session.ts";
import { parseEnd } from "../values.ts";

interface Options {
  readonly reason: string;
  readonly until?: string;
  readonly key?: string;
  readonly dryRun?: boolean;
}

const examples = `Examples:
  tidings sub pause payments --reason "the bank is down" --until 30m
  tidings sub pause payments --key 42 --reason "checked by hand"
`;

/** `tidings sub pause`. */
export function configure(command: Command): void {
  command
    .argument("<subscription>", "payments/orders, or the service when it has only one")
    .requiredOption("--reason <text>", "why, for whoever looks next")
    .option("--until <time>", "end of the pause: 30m, or a time; until it is resumed unless given")
    .option("--key <key>", "pause only the events of this ordering key")
    .option("--dry-run", "say what would be done")
    .addHelpText("before", examples)
    .action((asked: string, options: Options) =>
      withSession(command, options.dryRun ? "read" : "change", async ({ admin, out, platform, signal }) => {
        const { reason, key } = options;
        const untilMs =
          options.until === undefined ? undefined : parseEnd("--until", options.until, platform.clock.now());
        const until = untilMs === undefined ? {} : { untilMs };
        const { subscription } = await admin.subscriptions.show(asked);
        if (!options.dryRun) {
          if (key === undefined) await admin.subscriptions.pause(subscription, { reason, ...until });
          else await admin.heldKeys.pause(subscription, key, { reason, signal, ...until });
        }
        const what = key === undefined ? subscription : `key ${JSON.stringify(key)} of ${subscription}`;
        const end = untilMs === undefined ? "" : ` until ${formatTime(untilMs)}`;
        await out.result({ subscription, key, reason, untilMs, paused: !options.dryRun }, () =>
          options.dryRun ? `Would pause ${what}${end}.\n` : `Paused ${what}${end}.\n`,
        );
      }),
    );
}
