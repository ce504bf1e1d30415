import type { Settings } from "./options.ts";

/**
 * Every entry has this as the first part of its id, and the place behind its position as the second: `1000000000000000-1` is
 * position 0. As an instant it lies beyond the year 33000, so that also who appends with `*` continues the numbers, because a
 * stream never goes back in time.
 */
export const era = "1000000000000000";

/** The names of the keys of a store. All have one hash tag. */
export interface Keys {
  /** Hash: id and format of the store, the newest instant that was given to an event, and the bytes of each partition. */
  readonly meta: string;
  /** Hash: name of a topic to its number of partitions. */
  readonly topics: string;
  /** Hash of one engine: what became of its last groups. */
  writer(id: string): string;
  /** Stream of a partition. */
  log(topic: string, partition: number): string;
  /** What an id chosen by a caller is kept under. */
  id(source: string, id: string): string;
  /** What is tried at opening. */
  readonly probe: string;
  /** The channel on which members tell of what they have appended. Channels are of all databases of a server. */
  readonly channel: string;
}

export function keysOf({ prefix, database }: Pick<Settings, "prefix" | "database">): Keys {
  const tag = `{${prefix}}`;
  return {
    meta: `${tag}:meta`,
    topics: `${tag}:topics`,
    writer: (id) => `${tag}:writer:${id}`,
    log: (topic, partition) => `${tag}:log:${topic}:${partition}`,
    // The length makes it unmistakable, whatever characters a source has.
    id: (source, id) => `${tag}:id:${source.length} ${source}${id}`,
    probe: `${tag}:probe`,
    channel: `${tag}:news:${database}`,
  };
}

/** The id of the entry at a position. */
export const entryId = (position: number): string => `${era}-${position + 1}`;

/** The position of an entry, or undefined when its id is none of ours. */
export function positionOf(id: string): number | undefined {
  return id.startsWith(`${era}-`) ? Number(id.slice(era.length + 1)) - 1 : undefined;
}
