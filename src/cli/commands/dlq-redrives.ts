import type { Command } from "commander";
import { formatTime } from "../../event/instant.ts";
import { withSession } from "../session.ts";
import { stateText } from "./redrive-text.ts";

const examples = `Examples:
  tidings dlq redrives
  tidings dlq redrives --json | jq -r '.[] | select(.state == "running") | .id'
`;

/** `tidings dlq redrives`. */
export function configure(command: Command): void {
  command
    .addHelpText("before", examples)
    .addHelpText("after", "\nThose that go on, and those that were over in the last 30 days.")
    .action(() =>
      withSession(command, "read", async ({ admin, out }) => {
        const reports = await admin.redrives.list();
        await out.result(reports, () =>
          reports.length === 0
            ? "No redrives.\n"
            : out.table(
                [
                  { title: "ID", value: ({ id }) => id },
                  { title: "STATE", value: (report) => stateText(report) },
                  { title: "COVERED", value: ({ covered }) => covered, right: true },
                  { title: "LEFT", value: ({ remaining }) => remaining, right: true },
                  { title: "UNDER WAY", value: ({ underWay }) => underWay, right: true },
                  { title: "SUCCEEDED", value: ({ succeeded }) => succeeded, right: true },
                  { title: "FAILED AGAIN", value: ({ failedAgain }) => failedAgain, right: true },
                  { title: "SKIPPED", value: ({ skipped, setAside }) => skipped + setAside, right: true },
                  { title: "SUBSCRIPTIONS", value: ({ subscriptions }) => subscriptions.join(", ") },
                  { title: "BEGUN", value: ({ createdAtMs }) => formatTime(createdAtMs) },
                ],
                reports,
              ),
        );
      }),
    );
}
