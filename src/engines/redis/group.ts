import type { Appended } from "../../ports/topics.ts";
import { idConflict } from "../sql/topics.ts";
import type { Argument } from "./connection.ts";
import type { Draft } from "./draft.ts";
import type { Settings } from "./options.ts";

/** One publish on its way. */
export interface Call {
  readonly drafts: readonly Draft[];
  readonly bytes: number;
  /** When it came, by the monotonic clock. */
  readonly sinceMs: number;
  resolve(appended: readonly Appended[]): void;
  reject(error: Error): void;
}

/** Publishes that were sent together. */
export interface Group {
  readonly number: number;
  readonly calls: readonly Call[];
  /** Keys of the streams that it appends to. */
  readonly streams: readonly string[];
  /** When it was sent, by the monotonic clock. */
  readonly sentAtMs: number;
  /** What became of it, when that is known: the server's word or error, or that the connection was lost at an instant. */
  refusal?: unknown;
  lostAtMs?: number;
}

/** The calls that go together: as many as fit from the front of the queue and have no more events than that, one at least. */
export function takeCalls(
  queue: readonly Call[],
  { groupEventsMax, groupBytesMax }: Settings,
  eventsMax: number,
): readonly Call[] {
  let [events, bytes, count] = [0, 0, 0];
  const most = Math.min(groupEventsMax, eventsMax);
  for (const call of queue) {
    events += call.drafts.length;
    bytes += call.bytes;
    if (count > 0 && (events > most || bytes > groupBytesMax)) break;
    count++;
  }
  return queue.slice(0, count);
}

/** How many events calls have together. */
export function eventsOf(calls: readonly Call[]): number {
  let events = 0;
  for (const { drafts } of calls) events += drafts.length;
  return events;
}

/** The streams of calls, each once. */
export function streamsOf(calls: readonly Call[]): string[] {
  const streams = new Set<string>();
  for (const { drafts } of calls) for (const { stream } of drafts) streams.add(stream);
  return [...streams];
}

/** The publishes of a group as arguments of the script. */
export function argumentsOf({ calls, streams }: Group): Argument[] {
  const places = new Map(streams.map((stream, index) => [stream, String(index)]));
  const args: Argument[] = [];
  for (const { drafts } of calls) {
    const looks = drafts.some(({ idKey }) => idKey !== undefined);
    args.push(String(looks ? -drafts.length : drafts.length));
    for (const { stream, idKey, mark, fields } of drafts) {
      if (idKey === undefined) args.push(places.get(stream) as string, "", String(fields.length));
      else args.push(places.get(stream) as string, idKey, mark, String(fields.length));
      for (const field of fields) args.push(field);
    }
  }
  return args;
}

/** Answers the calls of a group that was applied, by the answer of the script. Resolves with the position behind the last event by stream. */
export function settle({ calls, streams }: Group, answer: string): ReadonlyMap<string, number> {
  const [firsts = "", told = ""] = answer.slice(1).split(";");
  const nexts = new Map(firsts.split(",").flatMap((first, index) => (first === "" ? [] : [[streams[index] as string, Number(first)]]))); // prettier-ignore
  const exceptions = new Map<number, string>();
  if (told !== "")
    for (const one of told.split(",")) exceptions.set(Number.parseInt(one, 10), one.slice(one.search(/[=!]/)));
  let number = 0;
  const answers: (() => void)[] = [];
  for (const call of calls) {
    const { drafts } = call;
    const refused = drafts.findIndex((_, index) => exceptions.get(number + index) === "!");
    if (refused >= 0) {
      answers.push(() => call.reject(idConflict(drafts[refused] as Draft, refused)));
    } else {
      const appended = drafts.map(({ stream }, index): Appended => {
        const duplicate = exceptions.get(number + index);
        if (duplicate !== undefined) return { position: Number(duplicate.slice(1)), duplicate: true };
        const position = nexts.get(stream) as number;
        nexts.set(stream, position + 1);
        return { position, duplicate: false };
      });
      answers.push(() => call.resolve(appended));
    }
    number += drafts.length;
  }
  for (const tell of answers) tell();
  return nexts;
}
