import type { Command } from "commander";
import { formatTime } from "../../event/instant.ts";
import { withSession } from "../session.ts";
import { parseWhole } from "../values.ts";

const examples = `Examples:
  tidings outbox ls --url redis://queue --store postgres://db/shop
  tidings outbox ls --json | jq '.parked[] | select(.refused)'
`;

/** `tidings outbox ls`. */
export function configure(command: Command): void {
  command
    .option("-n, --limit <count>", "list at most so many parked events", "1000")
    .addHelpText("before", examples)
    .addHelpText(
      "after",
      "\nAn event is parked when the broker refuses it for good, and with it the later ones of its key.",
    )
    .action(({ limit }: { limit: string }) =>
      withSession(command, "read", async ({ admin, out }) => {
        const partitions = await admin.outbox.partitions();
        const parked = await admin.outbox.parked({ limit: parseWhole("--limit", limit) });
        const unsent = partitions.reduce((sum, each) => sum + each.unsent, 0);
        const oldestMs = Math.max(0, ...partitions.map(({ oldestAgeMs }) => oldestAgeMs));
        await out.result({ unsent, oldestMs, partitions, parked }, () => {
          const head =
            unsent === 0
              ? "Everything is sent.\n"
              : `${unsent} not sent yet, the oldest for ${Math.round(oldestMs / 1000)} s.\n`;
          if (parked.length === 0) return head;
          const table = out.table(
            [
              { title: "ID", value: ({ id }) => id },
              { title: "EVENT", value: ({ event }) => event },
              { title: "TYPE", value: ({ type }) => type },
              { title: "TOPIC", value: ({ topic }) => topic },
              { title: "KEY", value: ({ key }) => key ?? "-" },
              { title: "SINCE", value: ({ parkedAtMs }) => formatTime(parkedAtMs) },
              { title: "ASKED", value: ({ asked }) => asked ?? "-" },
              { title: "WHY", value: ({ refused }) => refused?.message ?? "waits behind an earlier one of its key" },
            ],
            parked,
          );
          return `${head}${table}`;
        });
      }),
    );
}
