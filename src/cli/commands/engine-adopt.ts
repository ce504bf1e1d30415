import type { Command } from "commander";
import { confirm } from "../confirm.ts";
import { withSession } from "../session.ts";

const examples = `Examples:
  tidings engine adopt --url redis://queue --store postgres://new/shop --yes
  tidings engine adopt --url redis://queue --store postgres://shop --restored --yes
`;

/** `tidings engine adopt`. */
export function configure(command: Command): void {
  command
    .option("--restored", "this store was set back to an earlier state, by a backup say")
    .option("-y, --yes", "do not ask")
    .addHelpText("before", examples)
    .addHelpText(
      "after",
      "\nFor a store that is gone for good. What stood in it (places, state, dead letters) is not in the new one.",
    )
    .action(({ restored = false, yes }: { restored?: boolean; yes?: boolean }) =>
      withSession(command, "change", async ({ admin, out, signal }) => {
        await confirm("This would let every subscription of the broker begin anew on this store.", yes, signal);
        const adopted = await admin.engine.adopt({ restored });
        await out.result({ adopted }, () =>
          adopted.length === 0
            ? "No subscription has another store.\n"
            : `${adopted.map((name) => `${name} has this store now.`).join("\n")}\n`,
        );
      }),
    );
}
