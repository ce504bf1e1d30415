import type { Command } from "commander";
import { configureChange } from "./redrive-change.ts";

/** `tidings dlq redrive-pause`. */
export function configure(command: Command): void {
  configureChange(command, {
    verb: "pause",
    examples: `Examples:
  tidings dlq redrive-pause 0197a1b2-… --why "the database is slow"
`,
    after: "What is under way ends; nothing more is sent back until it is resumed.",
    change: ({ admin }, id, options) => admin.redrives.pause(id, options),
  });
}
