import type { Command } from "commander";
import { errorCatalogue, type ErrorCode } from "../../errors/codes.ts";
import { closest } from "../../lib/closest.ts";
import { TidingsError } from "../../errors/tidings-error.ts";
import { outputOf } from "../session.ts";

/** `tidings explain`. */
export function configure(command: Command): void {
  command
    .argument("[code]", "a stable error code, with or without TIDINGS_; all unless given")
    .addHelpText("before", "Examples:\n  tidings explain TIDINGS_DISK_FULL\n  tidings explain held_keys_open\n")
    .action(async (asked: string | undefined) => {
      const out = outputOf(command);
      const known = Object.keys(errorCatalogue) as ErrorCode[];
      if (asked === undefined) {
        const all = known.map(entryOf);
        return out.result(all, () =>
          out.table(
            [
              { title: "CODE", value: ({ code }) => code },
              { title: "EXIT", value: ({ exit }) => exit, right: true },
              { title: "MEANING", value: ({ summary }) => summary },
            ],
            all,
          ),
        );
      }
      const upper = asked.toUpperCase().replaceAll("-", "_");
      const code = upper.startsWith("TIDINGS_") ? upper : `TIDINGS_${upper}`;
      if (!Object.hasOwn(errorCatalogue, code)) throw unknown(asked, closest(code, known));
      const entry = entryOf(code as ErrorCode);
      await out.result(entry, () =>
        out.pairs([
          ["code", entry.code],
          ["meaning", entry.summary],
          ["try again", entry.retryable ? "may help" : "does not help by itself"],
          ["exit status", entry.exit],
          ["more", entry.link],
        ]),
      );
    });
}

function entryOf(code: ErrorCode) {
  return { code, ...errorCatalogue[code], link: `docs/reference/errors.md#${code.toLowerCase()}` };
}

function unknown(asked: string, meant: string | undefined): TidingsError {
  const help = meant ? `did you mean ${meant}?` : "`tidings explain` lists them.";
  return new TidingsError("TIDINGS_NOT_FOUND", `There is no error code "${asked}"; ${help}`);
}
