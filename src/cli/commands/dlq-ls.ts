import { type Command, Option } from "commander";
import { formatTime } from "../../event/instant.ts";
import type { DeadLetter } from "../../delivery/records.ts";
import { letterJson } from "../event-text.ts";
import { withSession } from "../session.ts";
import { parseWhole } from "../values.ts";
import { addFilterOptions, filterOf, type FilterOptions } from "./dlq-filter.ts";

interface Options extends FilterOptions {
  readonly state?: DeadLetter["state"];
  readonly redrive?: string;
  readonly limit: string;
  readonly after?: string;
}

const examples = `Examples:
  tidings dlq ls
  tidings dlq ls --sub payments --since -1h
  tidings dlq ls --json | jq -r '.[].id'
`;

/** `tidings dlq ls`. */
export function configure(command: Command): void {
  addFilterOptions(command)
    .addOption(
      new Option("--state <state>", "those in this state; open and redriving unless given").choices([
        "open",
        "redriving",
        "resolved",
        "discarded",
      ]),
    )
    .option("--redrive <id>", "only those that this redrive has sent back")
    .option("-n, --limit <count>", "at most so many", "50")
    .option("--after <id>", "go on after this one")
    .addHelpText("before", examples)
    .action((options: Options) =>
      withSession(command, "read", async ({ admin, out, platform }) => {
        const limit = parseWhole("--limit", options.limit);
        const letters = await admin.deadLetters.list({
          ...filterOf(options, platform.clock.now()),
          limit,
          ...(options.state === undefined ? {} : { state: options.state }),
          ...(options.redrive === undefined ? {} : { redrive: options.redrive }),
          ...(options.after === undefined ? {} : { after: options.after }),
        });
        await out.result(letters.map(letterJson), () =>
          letters.length === 0
            ? "No dead letters.\n"
            : out.table(
                [
                  { title: "ID", value: ({ id }) => id },
                  { title: "SUBSCRIPTION", value: ({ subscription }) => subscription },
                  { title: "TYPE", value: ({ record }) => record.type },
                  { title: "KEY", value: ({ key }) => key ?? "-" },
                  { title: "STATE", value: ({ state }) => state },
                  { title: "REASON", value: ({ reason }) => reason },
                  { title: "SINCE", value: ({ parkedAtMs }) => formatTime(parkedAtMs) },
                  { title: "ERROR", value: ({ failure }) => failure.message },
                ],
                letters,
              ),
        );
        if (letters.length === limit) out.note(`There may be more: --after ${letters.at(-1)?.id}`);
      }),
    );
}
