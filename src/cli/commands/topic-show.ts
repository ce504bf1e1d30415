import type { Command } from "commander";
import { formatTime } from "../../event/instant.ts";
import { withSession } from "../session.ts";

/** `tidings topic show`. */
export function configure(command: Command): void {
  command
    .argument("<topic>", "name of the topic")
    .addHelpText("before", "Examples:\n  tidings topic show orders\n")
    .action((topic: string) =>
      withSession(command, "read", async ({ admin, out }) => {
        const detail = await admin.topics.show(topic);
        const pairs = out.pairs([
          ["topic", detail.topic],
          ["partitions", detail.partitions],
          ["events", detail.events],
          ["appended", detail.appended],
          ["subscriptions", detail.subscriptions.join(", ") || "none"],
        ]);
        await out.result(detail, () => {
          const time = (ms: number | undefined): string => (ms === undefined ? "-" : formatTime(ms));
          const table = out.table(
            [
              { title: "PARTITION", value: ({ partition }) => partition, right: true },
              { title: "FIRST", value: ({ first }) => first, right: true },
              { title: "NEXT", value: ({ next }) => next, right: true },
              { title: "OLDEST", value: ({ oldestAtMs }) => time(oldestAtMs) },
              { title: "NEWEST", value: ({ newestAtMs }) => time(newestAtMs) },
            ],
            detail.bounds,
          );
          return `${pairs}\n${table}`;
        });
      }),
    );
}
