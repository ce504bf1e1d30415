import type { Command } from "commander";
import { errorCatalogue, type ErrorCode } from "../../errors/codes.ts";
import type { Diagnosis } from "../../admin/doctor.ts";
import type { Output } from "../output.ts";
import { withSession } from "../session.ts";
import { formatDuration, parseDuration } from "../values.ts";

const examples = `Examples:
  tidings doctor                       what is promised, what is there, what is wrong
  tidings doctor -q                    a probe: silent and status 0 when all is well, else status 7
  tidings doctor --json | jq .problems
`;

/** `tidings doctor`. */
export function configure(command: Command): void {
  command
    .option("--max-age <duration>", "how old a pending event may be", "5m")
    .addHelpText("before", examples)
    .action((options: { maxAge: string }) =>
      withSession(command, "read", async ({ admin, out }) => {
        const diagnosis = await admin.engine.diagnose({ maxAgeMs: parseDuration("--max-age", options.maxAge) });
        const { quiet = false } = command.optsWithGlobals<{ quiet?: boolean }>();
        if (out.json || !quiet) await out.result(diagnosis, () => diagnosisText(out, diagnosis));
        for (const { area, code, problem } of diagnosis.problems)
          out.complain(`problem: ${area}: ${problem} [${code}]`);
        if (!diagnosis.healthy) process.exitCode = errorCatalogue["TIDINGS_VERIFY_FAILED" satisfies ErrorCode].exit;
      }),
    );
}

function diagnosisText(out: Output, { engine, node, diskFreeBytes, guarantees, subscriptions }: Diagnosis): string {
  const facts = out.pairs([["node", node], ...Object.entries(engine), ["diskFreeBytes", diskFreeBytes]]);
  const promises = out.table(
    [
      { title: "PROMISE", value: ({ promise, title }) => `${promise} ${title}` },
      { title: "HOLDS", value: ({ holds }) => holds },
      { title: "HOW", value: ({ note }) => note },
    ],
    guarantees,
  );
  const states = out.table(
    [
      { title: "SUBSCRIPTION", value: ({ subscription }) => subscription },
      { title: "STATUS", value: ({ status }) => status },
      { title: "PENDING", value: ({ pending }) => pending, right: true },
      { title: "OLDEST", value: ({ oldestAgeMs }) => formatDuration(oldestAgeMs), right: true },
      { title: "DEAD LETTERS", value: ({ deadLetters }) => deadLetters, right: true },
    ],
    subscriptions,
  );
  return `${facts}\n${promises}${subscriptions.length > 0 ? `\n${states}` : ""}`;
}
