import type { Command } from "commander";
import { withSession } from "../session.ts";
import { parseWhole } from "../values.ts";

/** `tidings topic create`. */
export function configure(command: Command): void {
  command
    .argument("<topic>", "name of the topic")
    .option("-p, --partitions <count>", "number of partitions, for its whole life", "4")
    .option("--dry-run", "say what would be done")
    .addHelpText("before", "Examples:\n  tidings topic create orders --partitions 8 --url sqlite:shop.db\n")
    .action((topic: string, options: { partitions: string; dryRun?: boolean }) =>
      withSession(command, options.dryRun ? "read" : "create", async ({ admin, out }) => {
        const partitions = parseWhole("--partitions", options.partitions);
        if (options.dryRun) {
          const there = (await admin.topics.list()).find((known) => known.topic === topic);
          const wouldCreate = there === undefined;
          return out.result({ topic, partitions, wouldCreate }, () =>
            wouldCreate ? `Would create ${topic} with ${partitions} partitions.\n` : `${topic} is there already.\n`,
          );
        }
        const made = await admin.topics.create(topic, { partitions });
        await out.result({ topic, partitions, created: made.created }, () =>
          made.created ? `Created ${topic} with ${partitions} partitions.\n` : `${topic} was there already.\n`,
        );
      }),
    );
}
