import type { Command } from "commander";
import { formatTime } from "../../event/instant.ts";
import { cloudEventJson } from "../../event/envelope.ts";
import type { DeadLetterStory } from "../../admin/dead-letters.ts";
import { dataText, letterJson, recordOf } from "../event-text.ts";
import type { Output } from "../output.ts";
import { withSession } from "../session.ts";
import { plural } from "../values.ts";

/** `tidings dlq show`. */
export function configure(command: Command): void {
  command
    .argument("<id>", "id of the dead letter")
    .addHelpText(
      "before",
      "Examples:\n  tidings dlq show 0197a1b2-…\n  tidings dlq show 0197a1b2-… --json | jq .event.data\n",
    )
    .action((id: string) =>
      withSession(command, "read", async ({ admin, out }) => {
        const story = await admin.deadLetters.show(id);
        await out.result({ ...letterJson(story.letter), waiting: story.waiting }, () => storyText(out, story));
      }),
    );
}

function storyText(out: Output, { letter, waiting }: DeadLetterStory): string {
  const { failure, tries } = letter;
  const record = recordOf(letter);
  const { data: _, ...attributes } = cloudEventJson(record);
  const pairs = out.pairs([
    ["dead letter", letter.id],
    ["state", letter.state],
    ["subscription", letter.subscription],
    ["place", `${letter.topic}/${letter.partition}:${letter.position}`],
    ["reason", letter.reason],
    ["error", `${failure.code}: ${failure.message}`],
    ["group", failure.fingerprint],
    [
      "tries",
      [
        plural(tries.failures, "failure"),
        plural(tries.stalls, "stall"),
        plural(tries.deliveries, "delivery", "deliveries"),
      ].join(", ") + (isCountedAnew(letter) ? ", since it was redriven" : ""),
    ],
    ["first failed", tries.firstFailedAtMs === undefined ? undefined : formatTime(tries.firstFailedAtMs)],
    ["given up", formatTime(letter.parkedAtMs)],
    ["last failed", formatTime(letter.lastFailedAtMs)],
    ["redrives", letter.redrives],
    ["waiting behind it", waiting],
    ["edited from", letter.editedFrom],
    ["closed", letter.closedAtMs === undefined ? undefined : `${formatTime(letter.closedAtMs)} by ${letter.closedBy}`],
    ["redrive", letter.redrive?.over ? undefined : letter.redrive?.operation],
    ["can be undone", letter.undoUntilMs === undefined ? undefined : `until ${formatTime(letter.undoUntilMs)}`],
    ["note", letter.note],
    ["host", letter.host],
    ["application", letter.appVersion],
  ]);
  const event = out.pairs([
    ...Object.entries(attributes).map(([name, value]) => [name, String(value)] as const),
    ["data", dataText(record)],
  ]);
  const attempts = tries.attempts.map(
    ({ atMs, host, code, message }) => `  ${formatTime(atMs)}  ${host}  ${code}: ${message}\n`,
  );
  const stack = failure.stack === undefined ? "" : `\n${out.bold("Stack")}\n${failure.stack.replaceAll(/^/gm, "  ")}\n`;
  return `${pairs}\n${out.bold("Event")}\n${event}\n${out.bold("Attempts")}\n${attempts.join("")}${stack}`;
}

/** Whether its counters are those of its last redrive: while that runs, or when it has succeeded, they are older. */
function isCountedAnew({ state, redrives }: DeadLetterStory["letter"]): boolean {
  return redrives > 0 && (state === "open" || state === "discarded");
}
