import type { Command } from "commander";
import { TidingsError } from "../../errors/tidings-error.ts";
import type { PublishedEvent, RawEvent } from "../../admin/publish.ts";
import { linesOfStdin, textOf } from "../input.ts";
import { type Session, withSession } from "../session.ts";
import { parseJson, usage } from "../values.ts";

interface Options {
  readonly topic: string;
  readonly type?: string;
  readonly data?: string;
  readonly key?: string;
  readonly keyFrom?: string;
  readonly id?: string;
  readonly header: readonly string[];
  readonly dryRun?: boolean;
}

/** So many lines of the standard input are published at once: all or none of them. */
const batchMax = 500;

const examples = `Examples:
  tidings publish -t orders --type shop.order.placed --key 42 --data '{"orderId":"42","total":99.9}'
  tidings publish -t orders --type shop.order.placed --key-from orderId --data @order.json
  tidings publish -t orders '{"specversion":"1.0","id":"1","source":"/me","type":"shop.order.placed"}'
  tidings tail orders --from start --until end --json | tidings publish -t copies -
`;

/** `tidings publish`. */
export function configure(command: Command): void {
  command
    .argument("[event]", "an event in CloudEvents JSON; - reads a line of JSON for each event")
    .requiredOption("-t, --topic <topic>", "where to")
    .option("--type <type>", "event type; then only data is given")
    .option("--data <json>", "the payload: JSON, @file, or - for the standard input")
    .option("--key <key>", "ordering key")
    .option("--key-from <member>", "take the ordering key from this member of the data")
    .option("--id <id>", "id of the event: publishing it again then changes nothing")
    .option("-H, --header <name=value>", "another CloudEvents attribute; may be repeated", collect, [])
    .option("--dry-run", "check everything and publish nothing")
    .addHelpText("before", examples)
    .addHelpText("after", "\nThe payload is not checked against any contract: handlers do that when they get it.")
    .action((event: string | undefined, options: Options) =>
      withSession(command, options.dryRun ? "read" : "change", async (session) => {
        check(event, options);
        if (event === "-") return publishLines(session, options);
        await publish(session, [await single(event, options)], options);
      }),
    );
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

function check(event: string | undefined, options: Options): void {
  if (event !== undefined && options.data !== undefined) throw usage("Give the event or --data, not both.");
  if (event === undefined && options.type === undefined)
    throw usage("Give an event in CloudEvents JSON, or --type with --data.");
  if (event !== undefined && event !== "-" && options.type !== undefined)
    throw usage("With --type the payload is given by --data; an event in CloudEvents JSON has its own type.");
  if (options.key !== undefined && options.keyFrom !== undefined) throw usage("Give --key or --key-from, not both.");
  if (options.type === undefined && (options.key ?? options.keyFrom ?? options.id) !== undefined)
    throw usage("--key, --key-from and --id go with --type; an event in CloudEvents JSON has its own.");
  if (event === "-" && options.id !== undefined) throw usage("--id names one event; the lines of - are many.");
}

async function single(event: string | undefined, options: Options): Promise<RawEvent> {
  if (event !== undefined) return rawOf(parseJson("The event", await textOf(event)), options);
  const data = options.data === undefined ? undefined : parseJson("--data", await textOf(options.data));
  return rawOf(data, options);
}

/** With `--type` the JSON is the payload, else it is the event, or what `tail --json` prints around it. */
function rawOf(json: unknown, options: Options): RawEvent {
  const { topic, type } = options;
  if (type === undefined) {
    const wrapped = isObject(json) && !("specversion" in json) && "event" in json ? json["event"] : json;
    const attributes = attributesOf(options.header);
    return { topic, cloudEvent: isObject(wrapped) ? { ...wrapped, ...attributes } : wrapped };
  }
  const key = options.keyFrom === undefined ? options.key : keyOf(json, options.keyFrom);
  return {
    topic,
    type,
    data: json,
    attributes: attributesOf(options.header),
    ...(key === undefined ? {} : { key }),
    ...(options.id === undefined ? {} : { id: options.id }),
  };
}

function attributesOf(headers: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    headers.map((header) => {
      const at = header.indexOf("=");
      if (at < 1) throw usage(`--header takes name=value, not "${header}".`);
      return [header.slice(0, at), header.slice(at + 1)];
    }),
  );
}

function keyOf(data: unknown, member: string): string {
  let value = data;
  for (const name of member.split(".")) value = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  if (typeof value === "string" || typeof value === "number") return String(value);
  throw new TidingsError("TIDINGS_INVALID_INPUT", `The data has no text or number "${member}" to be the ordering key.`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function publishLines(session: Session, options: Options): Promise<void> {
  let batch: RawEvent[] = [];
  let total = 0;
  const flush = async (): Promise<void> => {
    const events = batch;
    batch = [];
    await publish(session, events, options);
    session.out.progress(`${(total += events.length)} published`);
  };
  for await (const [number, line] of linesOfStdin()) {
    session.signal.throwIfAborted();
    try {
      batch.push(rawOf(parseJson(`Line ${number}`, line), options));
    } catch (error) {
      // What stands before a broken line is published; the message says where to go on.
      if (batch.length > 0) await flush();
      throw error;
    }
    if (batch.length >= batchMax) await flush();
  }
  if (batch.length > 0) await flush();
  session.out.progress();
}

async function publish(
  { admin, out }: Session,
  events: readonly RawEvent[],
  { dryRun = false }: Options,
): Promise<void> {
  for (const published of await admin.events.publish(events, { dryRun })) await printPublished(out, published, dryRun);
}

async function printPublished(out: Session["out"], published: PublishedEvent, dryRun: boolean): Promise<void> {
  const { id, topic, partition, position, duplicate } = published;
  const place = `${topic}/${partition}`;
  if (dryRun) return out.item({ id, topic, partition, dryRun }, () => `Would publish ${id} to ${place}.\n`);
  await out.item(published, () => `${id}  ${place}:${position}${duplicate ? "  was there already" : ""}\n`);
}
