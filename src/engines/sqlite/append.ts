import type { Connection } from "./binding.ts";
import { chunkEnds, encodeChunk } from "../sql/chunk.ts";
import type { Draft } from "../sql/draft.ts";
import { chunkChecksum } from "./chunk.ts";
import type { Head, Heads } from "./heads.ts";

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
