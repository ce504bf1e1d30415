import type { Command } from "commander";
import { TidingsError } from "../../errors/tidings-error.ts";
import { withSession } from "../session.ts";
import { plural } from "../values.ts";

/** `tidings engine verify`. */
export function configure(command: Command): void {
  command
    .addHelpText("before", "Examples:\n  tidings engine verify        status 7 when something is damaged\n")
    .action(() =>
      withSession(command, "read", async ({ admin, out, signal }) => {
        const onProgress = (checked: number): void => out.progress(`${checked} records checked`);
        const report = await admin.engine.verify({ signal, onProgress });
        out.progress();
        await out.result({ ok: report.problems.length === 0, ...report }, () =>
          [
            `${plural(report.recordsChecked, "record")} checked, ${plural(report.problems.length, "problem")}.\n`,
            ...report.problems.map(({ place, problem }) => `  ${place}: ${problem}\n`),
          ].join(""),
        );
        if (report.problems.length === 0) return;
        throw new TidingsError(
          "TIDINGS_VERIFY_FAILED",
          `${report.problems.length} problems were found in ${report.recordsChecked} records: restore a backup, or read what can be read with \`tidings tail\`.`,
        );
      }),
    );
}
