import type { Command } from "commander";
import { withSession } from "../session.ts";
import { formatDuration } from "../values.ts";

/** `tidings sub ls`. */
export function configure(command: Command): void {
  command
    .addHelpText(
      "before",
      "Examples:\n  tidings sub ls\n  tidings sub ls --json | jq '.[] | select(.status != \"ok\")'\n",
    )
    .action(() =>
      withSession(command, "read", async ({ admin, out }) => {
        const reports = await admin.subscriptions.list();
        await out.result(reports, () =>
          reports.length === 0
            ? "There are no subscriptions.\n"
            : out.table(
                [
                  { title: "SUBSCRIPTION", value: ({ subscription }) => subscription },
                  { title: "STATUS", value: ({ status }) => status },
                  { title: "MEMBERS", value: ({ members }) => members.length, right: true },
                  { title: "PENDING", value: ({ pending }) => pending, right: true },
                  { title: "OLDEST", value: ({ oldestAgeMs }) => formatDuration(oldestAgeMs), right: true },
                  { title: "HELD KEYS", value: ({ heldKeys }) => heldKeys, right: true },
                  { title: "DEAD LETTERS", value: ({ deadLetters }) => deadLetters, right: true },
                ],
                reports,
              ),
        );
      }),
    );
}
