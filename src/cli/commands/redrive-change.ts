import type { Command } from "commander";
import type { ChangeOptions, RedriveReport } from "../../admin/redrives.ts";
import { type Session, withSession } from "../session.ts";
import { progressText, stateText } from "./redrive-text.ts";

interface Options {
  readonly why?: string;
  readonly dryRun?: boolean;
}

/** A command that changes the state of a redrive. */
export interface RedriveChange {
  readonly verb: "pause" | "resume" | "cancel";
  readonly examples: string;
  readonly after: string;
  readonly change: (session: Session, id: string, options: ChangeOptions) => Promise<RedriveReport>;
}

export function configureChange(command: Command, { verb, examples, after, change }: RedriveChange): void {
  command
    .argument("<id>", "id of the redrive, as dlq redrives lists them")
    .option("--dry-run", "say what would happen and do nothing")
    .addHelpText("before", examples)
    .addHelpText("after", `\n${after}`);
  if (verb !== "resume") command.option("--why <text>", "for whoever looks later");
  command.action((id: string, { why, dryRun = false }: Options) =>
    withSession(command, dryRun ? "read" : "change", async (session) => {
      const { out } = session;
      const report = await change(session, id, { dryRun, ...(why === undefined ? {} : { reason: why }) });
      await out.result(dryRun ? { dryRun, ...report } : report, () =>
        dryRun
          ? `Would ${verb} ${id}, which is ${stateText(report)}. ${progressText(report)}.\n`
          : `Redrive ${id}: ${stateText(report)}. ${progressText(report)}.\n`,
      );
    }),
  );
}
