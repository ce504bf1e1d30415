import { type Command, Option } from "commander";
import { cloudEventJson } from "../../event/envelope.ts";
import type { StoredRecord } from "../../event/record.ts";
import { eventJson, eventLine } from "../event-text.ts";
import { withSession } from "../session.ts";
import { parsePlace, parseWhole } from "../values.ts";
import { compileWhere } from "../where.ts";

interface Options {
  readonly from?: string;
  readonly until?: "end";
  readonly follow?: boolean;
  readonly limit?: string;
  readonly key?: string;
  readonly type?: readonly string[];
  readonly where?: string;
}

const examples = `Examples:
  tidings tail orders                                       what comes from now on
  tidings tail orders --from -1h --until end                the last hour
  tidings tail --from start --until end --json              everything, as NDJSON
  tidings tail orders --key 42 --where 'data.total > 100'
`;

/** `tidings tail`. */
export function configure(command: Command): void {
  command
    .argument("[topics...]", "names of topics; all unless given")
    .option("-f, --follow", "go on with what comes (the default on a terminal)")
    .option("--from <place>", "start, end, a time, -1h, or <partition>:<position> (start, or end when following)")
    .addOption(new Option("--until <place>", "stop at what is there now").choices(["end"]))
    .option("-n, --limit <count>", "stop after so many")
    .option("--key <key>", "only events of this ordering key")
    .option("--type <types...>", "only events of these types")
    .option("--where <condition>", "only events for which it holds, such as data.total > 100")
    .addHelpText("before", examples)
    .action((topics: string[], options: Options) =>
      withSession(command, "read", async ({ admin, out, platform, signal }) => {
        const follow = options.until === undefined && (options.follow ?? process.stdout.isTTY);
        const from = parsePlace("--from", options.from ?? (follow ? "end" : "start"), platform.clock.now());
        const names = topics.length > 0 ? topics : (await admin.topics.list()).map(({ topic }) => topic);
        const where = options.where === undefined ? undefined : compileWhere(options.where);
        const events = admin.events.read({
          topics: names,
          from,
          follow,
          signal,
          ...(options.limit === undefined ? {} : { limit: parseWhole("--limit", options.limit) }),
          ...(options.key === undefined ? {} : { key: options.key }),
          ...(options.type === undefined ? {} : { types: options.type }),
          ...(where === undefined ? {} : { where: (record: StoredRecord) => where(scopeOf(record)) }),
        });
        for await (const record of events) await out.item(eventJson(record), () => eventLine(record));
      }),
    );
}

/** What a condition can ask about: the event in CloudEvents JSON, with its place. */
function scopeOf(record: StoredRecord): object {
  const { topic, partition, position, key } = record;
  return { ...cloudEventJson(record), topic, partition, position, key };
}
