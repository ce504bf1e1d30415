import type { Command } from "commander";
import { cloudEventJson, formatTime } from "../../event/envelope.ts";
import type { EventStory } from "../../admin/find-event.ts";
import { dataText, eventJson } from "../event-text.ts";
import type { Output } from "../output.ts";
import { withSession } from "../session.ts";
import { parseWhole } from "../values.ts";

const examples = `Examples:
  tidings event get 0197a1b2-…              the event, why it came, what came of it, who has handled it
  tidings event get order-42 --topic orders
`;

/** `tidings event get`. */
export function configure(command: Command): void {
  command
    .argument("<id>", "id of the event")
    .option("-t, --topic <topics...>", "look only in these topics")
    .option("--scan-max <count>", "look at no more events than this", "1000000")
    .addHelpText("before", examples)
    .addHelpText(
      "after",
      "\nThere is no index by id: topics are scanned, from the time on that stands in the id where it is a UUIDv7.",
    )
    .action((id: string, options: { topic?: string[]; scanMax: string }) =>
      withSession(command, "read", async ({ admin, out, signal }) => {
        const story = await admin.events.find(id, {
          signal,
          scanMax: parseWhole("--scan-max", options.scanMax),
          onProgress: (scanned) => out.progress(`${scanned} events looked at`),
          ...(options.topic === undefined ? {} : { topics: options.topic }),
        });
        out.progress();
        if (story.cut)
          out.note(`Stopped after ${story.scanned} events: causes or effects may be missing; raise --scan-max.`);
        await out.result(storyJson(story), () => storyText(out, story));
      }),
    );
}

function storyJson({ event, causes, effects, fates, scanned, cut }: EventStory): unknown {
  return {
    ...eventJson(event),
    causes: causes.map(eventJson),
    effects: effects.map(({ event: effect, depth }) => ({ depth, ...eventJson(effect) })),
    subscriptions: fates,
    scanned,
    complete: !cut,
  };
}

function storyText(out: Output, { event, causes, effects, fates }: EventStory): string {
  const { data: _, ...attributes } = cloudEventJson(event);
  const lines = [
    out.pairs([
      ["place", `${event.topic}/${event.partition}:${event.position}`],
      ["appended", formatTime(event.appendedAtMs)],
      ...Object.entries(attributes).map(([name, value]) => [name, String(value)] as const),
      ["data", dataText(event)],
    ]),
  ];
  const short = ({ type, id, topic, partition, position }: EventStory["event"]): string =>
    `${type}  ${id}  ${topic}/${partition}:${position}\n`;
  if (causes.length > 0)
    lines.push(out.bold("Caused by\n"), ...causes.map((cause, i) => `${"  ".repeat(i + 1)}${short(cause)}`));
  if (effects.length > 0)
    lines.push(
      out.bold("Led to\n"),
      ...effects.map(({ event: effect, depth }) => `${"  ".repeat(depth)}${short(effect)}`),
    );
  if (fates.length > 0) {
    const table = out.table(
      [
        { title: "SUBSCRIPTION", value: ({ subscription }) => subscription },
        { title: "FATE", value: ({ fate }) => fate },
        { title: "DETAIL", value: ({ detail, deadLetter }) => detailText(detail, deadLetter) },
      ],
      fates,
    );
    lines.push(`\n${table}`);
  }
  return lines.join("");
}

/** The id of the dead letter is said once. */
function detailText(detail = "", deadLetter = ""): string {
  return detail.includes(deadLetter) ? detail : `${detail}; ${deadLetter}`;
}
