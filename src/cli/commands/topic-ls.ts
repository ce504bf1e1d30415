import type { Command } from "commander";
import { withSession } from "../session.ts";

/** `tidings topic ls`. */
export function configure(command: Command): void {
  command
    .addHelpText("before", "Examples:\n  tidings topic ls\n  tidings topic ls --json | jq -r '.[].topic'\n")
    .action(() =>
      withSession(command, "read", async ({ admin, out }) => {
        const topics = await admin.topics.list();
        await out.result(topics, () =>
          topics.length === 0
            ? "There are no topics.\n"
            : out.table(
                [
                  { title: "TOPIC", value: ({ topic }) => topic },
                  { title: "PARTITIONS", value: ({ partitions }) => partitions, right: true },
                  { title: "EVENTS", value: ({ events }) => events, right: true },
                  { title: "APPENDED", value: ({ appended }) => appended, right: true },
                ],
                topics,
              ),
        );
      }),
    );
}
