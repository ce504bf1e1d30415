import type { Command } from "commander";
import type { Edit } from "../../admin/edit.ts";
import { textOf } from "../input.ts";
import { withSession } from "../session.ts";
import { parseJson, usage } from "../values.ts";

interface Options {
  readonly data?: string;
  readonly merge?: string;
  readonly dryRun?: boolean;
}

const examples = `Examples:
  tidings dlq edit 0197a1b2-… --merge '{"total":99.9}' --dry-run
  tidings dlq edit 0197a1b2-… --merge '{"total":99.9,"discount":null}'
  tidings dlq edit 0197a1b2-… --data @order.json
`;

/** `tidings dlq edit`. */
export function configure(command: Command): void {
  command
    .argument("<id>", "id of the dead letter")
    .option("--data <json>", "the whole new payload: JSON, @file, or - for the standard input")
    .option("--merge <json>", "what to change of the payload: members are set, null removes one")
    .option("--dry-run", "print the new payload and do nothing")
    .addHelpText("before", examples)
    .addHelpText(
      "after",
      "\nThe copy takes the place of the event in this subscription, with a new id, and is redriven.",
    )
    .action((id: string, options: Options) =>
      withSession(command, options.dryRun ? "read" : "change", async ({ admin, out, signal }) => {
        const { dryRun = false } = options;
        const result = await admin.deadLetters.edit(id, await editOf(options), { dryRun, signal });
        await out.result({ ...result, data: JSON.parse(result.data) as unknown, redriven: !dryRun }, () =>
          dryRun ? `Would redrive ${result.data}\n` : `Redriven as ${result.id}, edited from ${result.editedFrom}.\n`,
        );
      }),
    );
}

async function editOf({ data, merge }: Options): Promise<Edit> {
  if (data !== undefined && merge === undefined) return { data: parseJson("--data", await textOf(data)) };
  if (merge !== undefined && data === undefined) return { merge: parseJson("--merge", await textOf(merge)) };
  throw usage("Give --data with the whole new payload, or --merge with what to change.");
}
