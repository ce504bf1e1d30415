import type { StoredRecord } from "../../event/record.ts";
import type { LogPlace, OpenChunk } from "./chunk.ts";
import { type Draft, payloadOf } from "./draft.ts";

/** Events of one partition that this process has committed. */
export interface Committed {
  readonly log: number;
  /** Position of the first one. */
  readonly first: number;
  readonly drafts: readonly Draft[];
  readonly appendedAtMs: number;
}

/** Where a log began and where its next event went when the store was looked at. */
export interface Head {
  readonly log: number;
  readonly first: number;
  readonly next: number;
}

/**
 * How much is kept, in bytes; what is read from further back comes from the store. More than usual only of what a reader of this
 * process has still before it: one that has to ask the store falls behind further, and what nobody needs any more costs the
 * garbage collector. The commits are few enough for an array of them to lose its first one without moving the others.
 */
const bytesUsual = 1024 * 1024;
const bytesMax = 16 * 1024 * 1024;
const commitsMax = 8192;

interface Kept {
  readonly log: number;
  readonly chunk: OpenChunk;
  readonly bytes: number;
}

/**
 * The newest events that this process has appended, so that whoever follows a log in the same process need not read back
 * what it has just written. Only what is committed, and as durable as was promised, may be added.
 *
 * A process does not know what others append. Where it hears that they may have, everything is forgotten: what is kept of a
 * log never hides what stands behind it.
 */
export class Tail {
  readonly #logs = new Map<number, Kept[]>();
  /** Everything that is kept, oldest first. */
  #order: Kept[] = [];
  #bytes = 0;
  /** By log that is read here, how far the foremost reader has come. */
  readonly #readers = new Map<number, number>();
  /** How often something was heard of others. */
  #news = 0;
  /** By log, where it began at the last look, and behind which position nothing is known to stand. */
  readonly #firsts = new Map<number, number>();
  readonly #nexts = new Map<number, number>();

  /** To be asked before a commit is sent; `add` takes the answer. */
  news(): number {
    return this.#news;
  }

  /** Others may have appended, or events are gone. */
  forget(): void {
    this.#news++;
    this.#logs.clear();
    // Whoever still reads says so with the next question; a partition may have gone to another process.
    this.#readers.clear();
    this.#order = [];
    this.#bytes = 0;
  }

  /**
   * Takes what a look at the store has shown. What this process has appended and knows of is no news; of anything else it cannot
   * be said where it stands, and everything is forgotten.
   */
  looked(heads: readonly Head[]): void {
    let news = false;
    for (const { log, first, next } of heads) {
      news ||= first !== this.#firsts.get(log) || next > (this.#nexts.get(log) ?? 0);
      this.#firsts.set(log, first);
      this.#reached(log, next);
    }
    if (news) this.forget();
  }

  #reached(log: number, next: number): void {
    if (next > (this.#nexts.get(log) ?? 0)) this.#nexts.set(log, next);
  }

  /** Keeps what was committed, unless something was heard of others since the commit was sent: they may stand behind it. */
  add({ log, first, drafts, appendedAtMs }: Committed, place: LogPlace, sentAt: number): void {
    if (drafts.length === 0) return;
    this.#reached(log, first + drafts.length);
    if (sentAt !== this.#news) return;
    const kept = this.#logs.get(log) ?? [];
    if ((kept.at(-1)?.chunk.last ?? first - 1) !== first - 1) this.#drop(log, kept);
    let bytes = 0;
    for (const draft of drafts) bytes += draft.bytes;
    const added = { log, chunk: chunkOf(drafts, first, appendedAtMs, place), bytes };
    kept.push(added);
    this.#logs.set(log, kept);
    this.#order.push(added);
    this.#bytes += bytes;
    while (this.#keepsTooMuch()) this.#dropOldest();
  }

  #keepsTooMuch(): boolean {
    if (this.#bytes <= bytesUsual) return this.#order.length > commitsMax;
    const oldest = this.#order[0] as Kept;
    const isAhead = oldest.chunk.last >= (this.#readers.get(oldest.log) ?? Number.POSITIVE_INFINITY);
    return this.#bytes > bytesMax || this.#order.length > commitsMax || !isAhead;
  }

  /** What is kept of the log from this position on; undefined when it has to be read. */
  at(log: number, position: number): OpenChunk | undefined {
    if (position > (this.#readers.get(log) ?? -1)) this.#readers.set(log, position);
    const kept = this.#logs.get(log);
    if (!kept) return undefined;
    // They follow one another without a gap, and may be thousands.
    let [low, high] = [0, kept.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((kept[middle] as Kept).chunk.last < position) low = middle + 1;
      else high = middle;
    }
    const found = kept[low]?.chunk;
    return found && found.first <= position ? found : undefined;
  }

  /** Whether nothing stands at this position or behind it, as far as this process has heard. */
  endsAt(log: number, position: number): boolean {
    const last = this.#logs.get(log)?.at(-1)?.chunk.last;
    return last !== undefined && position === last + 1;
  }

  /** There is a gap: others have appended. */
  #drop(log: number, kept: Kept[]): void {
    for (const { bytes } of kept) this.#bytes -= bytes;
    kept.length = 0;
    this.#order = this.#order.filter((each) => each.log !== log);
  }

  #dropOldest(): void {
    const oldest = this.#order.shift();
    if (!oldest) return;
    this.#bytes -= oldest.bytes;
    this.#logs.get(oldest.log)?.shift();
  }
}

function chunkOf(drafts: readonly Draft[], first: number, appendedAtMs: number, place: LogPlace): OpenChunk {
  return {
    first,
    last: first + drafts.length - 1,
    bytes: (index) => (drafts[index] as Draft).bytes,
    record: (index) => recordOf(drafts[index] as Draft, first + index, appendedAtMs, place),
  };
}

function recordOf(draft: Draft, position: number, appendedAtMs: number, place: LogPlace): StoredRecord {
  return {
    id: draft.id,
    source: draft.source,
    type: draft.type,
    timeMs: draft.timeMs,
    key: draft.key,
    attributes: draft.attributes === undefined ? undefined : (JSON.parse(draft.attributes) as Record<string, string>),
    data: payloadOf(draft.kind, draft.line),
    topic: place.topic,
    partition: place.partition,
    position,
    appendedAtMs,
  };
}
