import { TidingsError } from "../../errors/tidings-error.ts";
import type { Appended, TopicEntry } from "../../ports/topics.ts";
import type { Draft } from "./draft.ts";
import { draftOf } from "./draft.ts";
import type { Call } from "./group.ts";
import type { Keys } from "./keys.ts";

/** What the server takes in one command, with room for what goes beside the events. */
const argumentsMax = 1_000_000;
const bytesMax = 480 * 1024 * 1024;

/** Makes a publish of entries and hands it over. Throws TIDINGS_EVENT_TOO_LARGE and TIDINGS_INVALID_ARGUMENT at once. */
export function publishCall(
  entries: readonly TopicEntry[],
  { keys, eventBytesMax, sinceMs }: { readonly keys: Keys; readonly eventBytesMax: number; readonly sinceMs: number },
  submit: (call: Call) => void,
): Promise<readonly Appended[]> {
  const drafts: Draft[] = [];
  let [bytes, args] = [0, 0];
  for (const entry of entries) {
    const draft = draftOf(entry, keys, eventBytesMax);
    drafts.push(draft);
    bytes += draft.bytes;
    args += draft.fields.length + 4;
  }
  if (args > argumentsMax || bytes > bytesMax) {
    throw new TidingsError(
      "TIDINGS_INVALID_ARGUMENT",
      `A publish of ${entries.length} events with ${bytes} bytes is more than Redis takes in one command; publish them in parts of at most 50,000 events and 256 MiB.`,
      { details: { events: entries.length, bytes } },
    );
  }
  return new Promise((resolve, reject) => submit({ drafts, bytes, sinceMs, resolve, reject }));
}
