import type { Command } from "commander";
import type { Edit } from "../../admin/edit.ts";
import type { JsonPatchOperation } from "../../admin/json-patch.ts";
import { textOf } from "../input.ts";
import { withSession } from "../session.ts";
import { parseJson, usage } from "../values.ts";

interface Options {
  readonly data?: string;
  readonly patch?: string;
  readonly merge?: string;
  readonly keepKey?: boolean;
  readonly dryRun?: boolean;
}

const examples = `Examples:
  tidings dlq edit 0197a1b2-… --patch '[{"op":"replace","path":"/total","value":99.9}]' --dry-run
  tidings dlq edit 0197a1b2-… --merge '{"total":99.9,"discount":null}'
  tidings dlq edit 0197a1b2-… --data @order.json
`;

/** `tidings dlq edit`. */
export function configure(command: Command): void {
  command
    .argument("<id>", "id of the dead letter")
    .option("--data <json>", "the whole new payload: JSON, @file, or - for the standard input")
    .option("--patch <json>", "a JSON Patch (RFC 6902) on the payload: JSON, @file, or -")
    .option("--merge <json>", "what to change of the payload: members are set, null removes one")
    .option("--keep-key", "handle it with the key of its event, also where its payload makes another one")
    .option("--dry-run", "print the new payload and do nothing")
    .addHelpText("before", examples)
    .addHelpText(
      "after",
      "\nThe copy takes the place of the event in this subscription, with a new id, and is redriven.",
    )
    .action((id: string, options: Options) =>
      withSession(command, options.dryRun ? "read" : "change", async ({ admin, out, signal }) => {
        const { dryRun = false } = options;
        const edit: Edit = { ...(await editOf(options)), keepKey: options.keepKey ?? false };
        const result = await admin.deadLetters.edit(id, edit, { dryRun, signal });
        await out.result({ ...result, data: JSON.parse(result.data) as unknown, redriven: !dryRun }, () =>
          dryRun ? `Would redrive ${result.data}\n` : `Redriven as ${result.id}, edited from ${result.editedFrom}.\n`,
        );
        if (!result.checked && !dryRun)
          out.note("No application was there that knows its schema: it is checked when it is handled.");
      }),
    );
}

async function editOf({ data, patch, merge }: Options): Promise<Edit> {
  const given = [data, patch, merge].filter((each) => each !== undefined).length;
  if (given !== 1)
    throw usage("Give --data with the whole new payload, or --patch or --merge with what to change: one of them.");
  if (data !== undefined) return { data: parseJson("--data", await textOf(data)) };
  if (merge !== undefined) return { merge: parseJson("--merge", await textOf(merge)) };
  return { patch: parseJson("--patch", await textOf(patch ?? "")) as readonly JsonPatchOperation[] };
}
