import type { Command } from "commander";
import { withSession } from "../session.ts";
import { addFilterOptions, type FilterOptions } from "./dlq-filter.ts";
import { repair } from "./dlq-repair.ts";

interface Options extends FilterOptions {
  readonly all?: boolean;
  readonly limit?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

const examples = `Examples:
  tidings dlq undo 0197a1b2-…
  tidings dlq undo --group 59c1e50c… --dry-run
  tidings dlq ls --state discarded
`;

/** `tidings dlq undo`. */
export function configure(command: Command): void {
  addFilterOptions(command.argument("[ids...]", "ids of discarded dead letters; else a filter"))
    .option("--all", "all that can be undone still")
    .option("-n, --limit <count>", "at most so many, oldest first")
    .option("-y, --yes", "do not ask")
    .option("--dry-run", "list them and do nothing")
    .addHelpText("before", examples)
    .addHelpText(
      "after",
      "\nFor 24 hours, unless dlq discard said otherwise. It waits in front of its key again, where nothing of the key is under way.",
    )
    .action((ids: string[], options: Options) =>
      withSession(command, options.dryRun ? "read" : "change", (session) =>
        repair(session, { kind: "undo-discard", ids, ...options }),
      ),
    );
}
