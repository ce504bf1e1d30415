import type { Connection } from "./binding.ts";
import { chunkChecksum, encodeChunk } from "./chunk.ts";
import type { Draft } from "./draft.ts";
import type { Head, Heads } from "./heads.ts";

/** A chunk holds at most so much, so that a reader need not decode much more than it wants. */
const chunkEventsMax = 256;
const chunkBytesMax = 64 * 1024;

interface Staged {
  readonly log: number;
  next: number;
  readonly appendedMs: number;
  readonly drafts: Draft[];
}

/** Events of the transaction at hand: they get their positions at once and are written as chunks at its end. */
export interface Appender {
  begin(nowMs: number): void;
  /** Takes an event in; answers with its position. */
  stage(log: number, draft: Draft): number;
  /** Writes the chunks. */
  flush(): void;
  /** After the commit: keeps the new heads; answers with the logs that have grown. */
  committed(): readonly number[];
  /** Id of the newest chunk written by the transaction at hand. */
  lastChunk(): number;
}

/** Packs all events that a transaction brings to a log into few rows: rows and index entries are what appends cost. */
export function appenderOf(connection: Connection, heads: Heads): Appender {
  const insert = connection.prepare(
    "INSERT INTO tidings_chunk (id, log, last, count, appended_ms, checksum, header, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
  );
  let staged = new Map<number, Staged>();
  let nowMs = 0;
  let nextChunk = 0;

  function logAt(log: number): Staged {
    const head: Head = heads.head(log);
    // Never earlier than the chunk before it, so that a search by time may halve.
    const at: Staged = { log, next: head.next, appendedMs: Math.max(head.appendedMs, nowMs), drafts: [] };
    staged.set(log, at);
    return at;
  }

  function write({ log, appendedMs, next }: Staged, drafts: readonly Draft[], after: number): void {
    const { header, body } = encodeChunk(drafts);
    const row = { log, last: next - 1 - after, count: drafts.length, appended_ms: appendedMs, header, body };
    insert.run(nextChunk++, log, row.last, row.count, appendedMs, chunkChecksum(row), header, body);
  }

  return {
    begin(at) {
      staged = new Map();
      nowMs = at;
      nextChunk = heads.nextChunk();
    },
    stage(log, draft) {
      const at = staged.get(log) ?? logAt(log);
      at.drafts.push(draft);
      return at.next++;
    },
    flush() {
      for (const at of staged.values()) {
        let begin = 0;
        for (const end of chunkEnds(at.drafts)) {
          const all = begin === 0 && end === at.drafts.length;
          write(at, all ? at.drafts : at.drafts.slice(begin, end), at.drafts.length - end);
          begin = end;
        }
      }
    },
    committed() {
      if (staged.size === 0) return [];
      heads.keep(staged, nextChunk);
      return [...staged.keys()];
    },
    lastChunk: () => nextChunk - 1,
  };
}

/** Where chunks end; an event that is larger than a chunk may be stands alone. */
function chunkEnds(drafts: readonly Draft[]): number[] {
  const ends: number[] = [];
  let count = 0;
  let bytes = 0;
  for (let i = 0; i < drafts.length; i++) {
    const size = (drafts[i] as Draft).bytes;
    if (count > 0 && (count === chunkEventsMax || bytes + size > chunkBytesMax)) {
      ends.push(i);
      count = 0;
      bytes = 0;
    }
    count++;
    bytes += size;
  }
  ends.push(drafts.length);
  return ends;
}
