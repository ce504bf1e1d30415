import type { Command } from "commander";
import { formatTime } from "../../event/instant.ts";
import { withSession } from "../session.ts";
import { addFilterOptions, filterOf, type FilterOptions } from "./dlq-filter.ts";

const examples = `Examples:
  tidings dlq groups                       what fails, by fault, most first
  tidings dlq groups --since -1h
  tidings dlq redrive --group 59c1e50c…    when it is mended
`;

/** `tidings dlq groups`. */
export function configure(command: Command): void {
  addFilterOptions(command)
    .addHelpText("before", examples)
    .action((options: FilterOptions) =>
      withSession(command, "read", async ({ admin, out, platform }) => {
        const groups = await admin.deadLetters.groups(filterOf(options, platform.clock.now()));
        await out.result(groups, () =>
          groups.length === 0
            ? "No dead letters.\n"
            : out.table(
                [
                  { title: "GROUP", value: ({ fingerprint }) => fingerprint },
                  { title: "COUNT", value: ({ count }) => count, right: true },
                  { title: "REDRIVING", value: ({ redriving }) => redriving, right: true },
                  { title: "LAST HOUR", value: ({ hours }) => hours.at(-1) ?? 0, right: true },
                  { title: "TREND", value: ({ trend }) => trend },
                  { title: "FIRST", value: ({ firstAtMs }) => formatTime(firstAtMs) },
                  { title: "LAST", value: ({ lastAtMs }) => formatTime(lastAtMs) },
                  { title: "SUBSCRIPTIONS", value: ({ subscriptions }) => subscriptions.join(", ") },
                  { title: "TYPES", value: ({ types }) => types.join(", ") },
                  { title: "ERROR", value: ({ code, message }) => `${code}: ${message}` },
                ],
                groups,
              ),
        );
      }),
    );
}
