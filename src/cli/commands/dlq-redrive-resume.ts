import type { Command } from "commander";
import { configureChange } from "./redrive-change.ts";

/** `tidings dlq redrive-resume`. */
export function configure(command: Command): void {
  configureChange(command, {
    verb: "resume",
    examples: `Examples:
  tidings dlq redrive-resume 0197a1b2-…
`,
    after: "It goes on where it was.",
    change: ({ admin }, id, options) => admin.redrives.resume(id, options),
  });
}
