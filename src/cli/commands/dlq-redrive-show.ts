import type { Command } from "commander";
import { withSession } from "../session.ts";
import { progressText, reportText } from "./redrive-text.ts";

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
    .option("-f, --follow", "wait until it is over")
    .addHelpText("before", examples)
    .action((id: string, { follow = false }: Options) =>
      withSession(command, "read", async ({ admin, out, signal }) => {
        const onProgress = (each: Parameters<typeof progressText>[0]): void => out.progress(progressText(each));
        const report = follow ? await admin.redrives.wait(id, { signal, onProgress }) : await admin.redrives.show(id);
        out.progress();
        await out.result(report, () => reportText(out, report));
      }),
    );
}
