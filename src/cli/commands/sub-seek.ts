import type { Command } from "commander";
import { TidingsError } from "../../errors/tidings-error.ts";
import type { SeekMove } from "../../admin/controls.ts";
import { confirm } from "../confirm.ts";
import type { Output } from "../output.ts";
import { withSession } from "../session.ts";
import { parsePlace, plural } from "../values.ts";

interface Options {
  readonly to: string;
  readonly retireHeld?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

const examples = `Examples:
  tidings sub seek payments --to -2h --dry-run      what would be handled again
  tidings sub seek payments --to -2h --yes
  tidings sub seek sales --to start --yes           rebuild from the beginning
  tidings sub seek payments --to 2:1750 --yes       one partition, to one position
`;

/** `tidings sub seek`. */
export function configure(command: Command): void {
  command
    .argument("<subscription>", "payments/orders, or the service when it has only one")
    .requiredOption("--to <place>", "start, end, a time, -1h, or <partition>:<position>")
    .option("--retire-held", "set held keys and dead letters aside as superseded")
    .option("-y, --yes", "do not ask")
    .option("--dry-run", "say what would be done")
    .addHelpText("before", examples)
    .addHelpText("after", "\nEvents behind the new place are handled again, with whatever their handlers do outside.")
    .action((asked: string, options: Options) =>
      withSession(command, options.dryRun ? "read" : "change", async ({ admin, out, platform, signal }) => {
        const { retireHeld = false } = options;
        const { subscription } = await admin.subscriptions.show(asked);
        const place = parsePlace("--to", options.to, platform.clock.now());
        const plan = await admin.subscriptions.seek(subscription, place, { retireHeld, dryRun: true });
        if (options.dryRun) return print(out, subscription, plan, true);
        await confirm(summary(subscription, plan), options.yes, signal);
        const moves = await admin.subscriptions.seek(subscription, place, { retireHeld, signal });
        await print(out, subscription, moves, false);
        const refused = moves.filter(({ refusal }) => refusal !== undefined);
        if (refused.length > 0) throw refusedError(moves, refused);
      }),
    );
}

function summary(subscription: string, plan: readonly SeekMove[]): string {
  const again = plan.reduce((sum, { from, to }) => sum + Math.max(0, from - to), 0);
  const skipped = plan.reduce((sum, { from, to }) => sum + Math.max(0, to - from), 0);
  const held = plan.reduce((sum, { heldKeys }) => sum + heldKeys, 0);
  const aside = held > 0 ? `, and set ${plural(held, "held key")} aside` : "";
  return `This would let ${subscription} handle ${plural(again, "event")} again and skip ${skipped} pending${aside}.`;
}

async function print(out: Output, subscription: string, moves: readonly SeekMove[], dryRun: boolean): Promise<void> {
  await out.result({ subscription, dryRun, partitions: moves }, () => {
    const table = out.table(
      [
        { title: "PARTITION", value: ({ partition }) => partition, right: true },
        { title: "FROM", value: ({ from }) => from, right: true },
        { title: "TO", value: ({ to }) => to, right: true },
        { title: "HELD KEYS", value: ({ heldKeys }) => heldKeys, right: true },
        { title: dryRun ? "WOULD BE" : "RESULT", value: ({ refusal }) => refusal?.message ?? "moved" },
      ],
      moves,
    );
    return dryRun ? `${summary(subscription, moves)}\n${table}` : table;
  });
}

function refusedError(moves: readonly SeekMove[], refused: readonly SeekMove[]): TidingsError {
  const [first] = refused as [SeekMove];
  const { code, message } = first.refusal as NonNullable<SeekMove["refusal"]>;
  if (refused.length === moves.length) return new TidingsError(code as TidingsError["code"], message);
  return new TidingsError("TIDINGS_PARTLY_DONE", `${refused.length} of ${moves.length} partitions were not moved.`);
}
