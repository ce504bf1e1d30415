import type { Command } from "commander";
import { TidingsError } from "../../errors/tidings-error.ts";
import type { CrashReport, CrashStep, CrashTestOptions } from "../../testing/crash/options.ts";
import type { Output } from "../output.ts";
import type { Stray } from "../../testing/strays.ts";
import { outputOf } from "../session.ts";
import { loadTestFile } from "../test-file.ts";
import { parseWhole, plural } from "../values.ts";

const examples = `Examples:
  tidings test crash test/payments.crash.ts
  tidings test crash test/payments.crash.ts --service payments --times 2
`;

interface Options {
  readonly times: string;
  readonly seed: string;
  readonly service?: string | undefined;
}

/** `tidings test crash`. */
export function configure(command: Command): void {
  command
    .argument("<file>", "exports services and a workload by default")
    .option("--times <n>", "how often the process dies at each point", "1")
    .option("--seed <n>", "seed of all chance", "1")
    .option("--service <name>", "only the handlers of this service")
    .addHelpText("before", examples)
    .action(async (path: string, { times, seed, service }: Options) => {
      const out = outputOf(command);
      const file = (await loadTestFile(path)) as unknown as CrashTestOptions;
      const { crashTest } = await import("../../testing/crash/crash-test.ts");
      const { owned, withStrays } = await import("../../testing/strays.ts");
      const asked = {
        ...owned(file),
        times: parseWhole("--times", times),
        seed: parseWhole("--seed", seed, 0),
        ...(service === undefined ? {} : { service }),
        onStep: (_: CrashStep, done: number, of: number) => out.progress(`${done} of ${of} steps`),
      };
      const unawaited: Stray[] = [];
      const report = await withStrays(
        () => crashTest(asked),
        (stray) => unawaited.push(stray),
      );
      out.progress();
      if (unawaited.length > 0) out.complain(`problem: ${commandOf(path, { times, seed, service })}`);
      for (const { message } of unawaited) out.complain(`  ${message}`);
      await out.result({ ...report, unawaited }, () => textOf(report, out));
      complain(report, unawaited.length);
    });
}

function textOf({ steps, crashes }: CrashReport, out: Output): string {
  const table = out.table<CrashStep>(
    [
      { title: "POINT", value: ({ point }) => point },
      { title: "SERVICE", value: ({ service }) => service },
      { title: "EVENT", value: ({ event }) => event },
      { title: "CRASHES", value: ({ crashes }) => crashes, right: true },
      { title: "LOST", value: ({ lost }) => lost, right: true },
      { title: "DOUBLED", value: ({ doubled }) => doubled, right: true },
      { title: "REORDERED", value: ({ reordered }) => reordered, right: true },
      { title: "LEFT OVER", value: ({ leftOver }) => leftOver, right: true },
      { title: "OUTSIDE", value: ({ outside }) => outside, right: true },
    ],
    steps,
  );
  const words = steps.flatMap(({ findings, point, service, event }) =>
    findings.map((finding) => `  ${point} of ${service} on ${event}: ${finding}\n`),
  );
  const unused = steps.filter((step) => step.crashes === 0).length;
  const hint = unused > 0 ? `${plural(unused, "step")} without a crash: the workload leads to no such handler.\n` : "";
  return [
    table,
    "\n",
    `${plural(crashes, "crash", "crashes")} in ${plural(steps.length, "step")}.\n`,
    hint,
    ...words,
  ].join("");
}

/** The command that finds it again. */
function commandOf(path: string, { times, seed, service }: Options): string {
  const given = [times === "1" ? "" : ` --times ${times}`, seed === "1" ? "" : ` --seed ${seed}`];
  return `tidings test crash ${path}${given.join("")}${service === undefined ? "" : ` --service ${service}`}`;
}

/** What is repeated outside is no failure: no system can undo it. */
function complain({ lost, doubled, reordered, leftOver }: CrashReport, unawaited: number): void {
  if (unawaited > 0)
    throw new TidingsError(
      "TIDINGS_EXPECTATION_FAILED",
      `${plural(unawaited, "failure was", "failures were")} awaited by nobody: run the command above again to see it.`,
    );
  if (lost + doubled + reordered + leftOver === 0) return;
  throw new TidingsError(
    "TIDINGS_EXPECTATION_FAILED",
    `A crash changes what comes of the workload: ${lost} lost, ${doubled} doubled, ${reordered} reordered, ${leftOver} left over; keep in the context (ctx.state, ctx.publish) what must outlive the process.`,
  );
}
