import { type Command, Option } from "commander";
import { formatTime } from "../../event/instant.ts";
import type { HeldKeyFilter } from "../../admin/held-keys.ts";
import { withSession } from "../session.ts";
import { parseWhole } from "../values.ts";

const examples = `Examples:
  tidings sub keys                          every key whose events wait, and why
  tidings sub keys payments --reason dead
`;

/** `tidings sub keys`. */
export function configure(command: Command): void {
  command
    .argument("[subscription]", "payments/orders, or the service when it has only one; all unless given")
    .addOption(new Option("--reason <reason>", "only these").choices(["retry", "dead", "paused", "drain"]))
    .option("--key <key>", "only this key")
    .option("-n, --limit <count>", "at most so many", "100")
    .addHelpText("before", examples)
    .action((subscription: string | undefined, options: Pick<HeldKeyFilter, "reason" | "key"> & { limit: string }) =>
      withSession(command, "read", async ({ admin, out }) => {
        const limit = parseWhole("--limit", options.limit);
        const keys = await admin.heldKeys.list({
          limit,
          ...(subscription === undefined ? {} : { subscription }),
          ...(options.reason === undefined ? {} : { reason: options.reason }),
          ...(options.key === undefined ? {} : { key: options.key }),
        });
        await out.result(keys, () =>
          keys.length === 0
            ? "No key is held.\n"
            : out.table(
                [
                  { title: "SUBSCRIPTION", value: (held) => held.subscription },
                  { title: "PARTITION", value: ({ partition }) => partition, right: true },
                  { title: "KEY", value: ({ key }) => key ?? "(one event)" },
                  { title: "REASON", value: ({ reason }) => reason },
                  { title: "EVENTS", value: ({ events }) => events, right: true },
                  { title: "SINCE", value: ({ sinceMs }) => formatTime(sinceMs) },
                  { title: "DUE", value: ({ dueAtMs }) => (dueAtMs === undefined ? "-" : formatTime(dueAtMs)) },
                  { title: "DETAIL", value: ({ deadLetter, note }) => deadLetter ?? note ?? "-" },
                ],
                keys,
              ),
        );
        if (keys.length === limit) out.note(`There may be more: raise --limit.`);
      }),
    );
}
