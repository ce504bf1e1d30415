import type { Command } from "commander";
import { withSession } from "../session.ts";
import { addFilterOptions, type FilterOptions } from "./dlq-filter.ts";
import { repair } from "./dlq-repair.ts";

interface Options extends FilterOptions {
  readonly all?: boolean;
  readonly limit?: string;
  readonly dryRun?: boolean;
}

const examples = `Examples:
  tidings dlq redrive 0197a1b2-…                    one
  tidings dlq redrive --group 59c1e50c… --limit 1   try one of a fault first
  tidings dlq redrive --group 59c1e50c…             then the others
  tidings dlq redrive --sub payments --dry-run
`;

/** `tidings dlq redrive`. */
export function configure(command: Command): void {
  addFilterOptions(command.argument("[ids...]", "ids of dead letters; else a filter"))
    .option("--all", "all there are")
    .option("-n, --limit <count>", "at most so many, oldest first")
    .option("--dry-run", "list them and do nothing")
    .addHelpText("before", examples)
    .addHelpText("after", "\nIt returns when they are on their way; `tidings dlq ls` shows which have failed again.")
    .action((ids: string[], options: Options) =>
      withSession(command, options.dryRun ? "read" : "change", (session) =>
        repair(session, { kind: "redrive", ids, ...options }),
      ),
    );
}
