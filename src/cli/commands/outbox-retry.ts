import type { Command } from "commander";
import { withSession } from "../session.ts";

const examples = `Examples:
  tidings outbox retry 2/0000000000000417
`;

/** `tidings outbox retry`. */
export function configure(command: Command): void {
  command
    .argument("<id>", "as `tidings outbox ls` shows it")
    .addHelpText("before", examples)
    .addHelpText("after", "\nThe process that relays the outbox sends it, and then those behind it in their order.")
    .action((id: string) =>
      withSession(command, "change", async ({ admin, out }) => {
        await admin.outbox.retry(id);
        await out.result({ id, asked: "retry" }, () => `Asked to send ${id} again.\n`);
      }),
    );
}
