import type { Command } from "commander";
import { confirm } from "../confirm.ts";
import { withSession } from "../session.ts";

const examples = `Examples:
  tidings outbox discard 2/0000000000000417 --yes
`;

/** `tidings outbox discard`. */
export function configure(command: Command): void {
  command
    .argument("<id>", "as `tidings outbox ls` shows it")
    .option("-y, --yes", "do not ask")
    .addHelpText("before", examples)
    .addHelpText("after", "\nNobody will ever see the event. Those behind it are sent in their order.")
    .action((id: string, { yes }: { yes?: boolean }) =>
      withSession(command, "change", async ({ admin, out, signal }) => {
        await confirm(`This would discard the parked event ${id} for good.`, yes, signal);
        await admin.outbox.discard(id);
        await out.result({ id, asked: "discard" }, () => `Asked to discard ${id}.\n`);
      }),
    );
}
