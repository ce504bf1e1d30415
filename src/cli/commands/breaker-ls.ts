import type { Command } from "commander";
import { formatTime } from "../../event/instant.ts";
import type { BreakerReport } from "../../admin/breakers.ts";
import { withSession } from "../session.ts";

const examples = `Examples:
  tidings breaker ls
  tidings breaker ls --json | jq '.[] | select(.state != "closed")'
`;

/** `tidings breaker ls`. */
export function configure(command: Command): void {
  command.addHelpText("before", examples).action(() =>
    withSession(command, "read", async ({ admin, out }) => {
      const breakers = await admin.breakers.list();
      await out.result(breakers, () =>
        breakers.length === 0
          ? "There are no circuit breakers.\n"
          : out.table(
              [
                { title: "BREAKER", value: ({ breaker }) => breaker },
                { title: "STATE", value: ({ state }) => state },
                { title: "SINCE", value: ({ sinceMs }) => formatTime(sinceMs) },
                { title: "PROBE", value: probeOf },
                { title: "TRIPS AFTER", value: ({ trips }) => trips },
                { title: "BY", value: ({ by }) => by },
                { title: "REASON", value: ({ reason }) => reason },
              ],
              breakers,
            ),
      );
    }),
  );
}

function probeOf({ state, probeAtMs }: BreakerReport): string {
  if (state === "half-open") return "now";
  if (state === "closed") return "-";
  return probeAtMs === undefined ? "when closed by hand" : formatTime(probeAtMs);
}
