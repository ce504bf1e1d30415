import type { Command } from "commander";
import { withSession } from "../session.ts";
import { addFilterOptions, type FilterOptions } from "./dlq-filter.ts";
import { repair } from "./dlq-repair.ts";

interface Options extends FilterOptions {
  readonly all?: boolean;
  readonly limit?: string;
  readonly undoFor?: string;
  readonly why?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

const examples = `Examples:
  tidings dlq discard 0197a1b2-…
  tidings dlq discard --group 59c1e50c… --dry-run
  tidings dlq discard --group 59c1e50c… --yes
`;

/** `tidings dlq discard`. */
export function configure(command: Command): void {
  addFilterOptions(command.argument("[ids...]", "ids of dead letters; else a filter"))
    .option("--all", "all there are")
    .option("-n, --limit <count>", "at most so many, oldest first")
    .option("--undo-for <duration>", "how long dlq undo can take it back", "24h")
    .option("--why <text>", "for whoever looks later")
    .option("-y, --yes", "do not ask")
    .option("--dry-run", "list them and do nothing")
    .addHelpText("before", examples)
    .addHelpText(
      "after",
      "\nWhat waits behind it goes on. Its story is kept for 30 days: `tidings dlq ls --state discarded`.",
    )
    .action((ids: string[], options: Options) =>
      withSession(command, options.dryRun ? "read" : "change", (session) =>
        repair(session, { kind: "discard", ids, ...options }),
      ),
    );
}
