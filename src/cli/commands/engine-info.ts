import type { Command } from "commander";
import { withSession } from "../session.ts";

/** `tidings engine info`. */
export function configure(command: Command): void {
  command
    .addHelpText("before", "Examples:\n  tidings engine info\n  tidings engine info --json | jq .synchronous\n")
    .action(() =>
      withSession(command, "read", async ({ admin, out }) => {
        const info = await admin.engine.info();
        await out.result(info, () => out.pairs(Object.entries(info)));
      }),
    );
}
