import type { Command } from "commander";
import { configureChange } from "./redrive-change.ts";

/** `tidings dlq redrive-cancel`. */
export function configure(command: Command): void {
  configureChange(command, {
    verb: "cancel",
    examples: `Examples:
  tidings dlq redrive-cancel 0197a1b2-… --why "the mend was none"
`,
    after: "What is under way ends; what was not sent back stays a dead letter. It cannot be resumed.",
    change: ({ admin }, id, options) => admin.redrives.cancel(id, options),
  });
}
