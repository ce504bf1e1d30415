import type { Command } from "commander";
import { withSession } from "../session.ts";
import { follow as followRedrive, waitingError } from "./redrive-follow.ts";
import { reportText } from "./redrive-text.ts";

interface Options {
  readonly follow?: boolean;
}

const examples = `Examples:
  tidings dlq redrive-show 0197a1b2-…
  tidings dlq redrive-show 0197a1b2-… --follow
`;

/** `tidings dlq redrive-show`. */
export function configure(command: Command): void {
  command
    .argument("<id>", "id of the redrive, as dlq redrives lists them")
    .option("-f, --follow", "wait until it is over, or until it waits for something itself")
    .addHelpText("before", examples)
    .action((id: string, { follow = false }: Options) =>
      withSession(command, "read", async (session) => {
        const { admin, out } = session;
        const { report, waits } = follow
          ? await followRedrive(session, id)
          : { report: await admin.redrives.show(id), waits: undefined };
        await out.result(report, () => reportText(out, report));
        if (waits !== undefined) throw waitingError(report, waits);
      }),
    );
}
