import type { VerifyProblem, VerifyReport } from "../../ports/engine.ts";
import type { Catalog } from "./catalog.ts";
import type { Connections } from "./connections.ts";
import { type Entry, openEntry, placeOf } from "./entry.ts";

import type { Reader } from "./reader.ts";

/** So many entries are checked at a time. */
const entriesPerStep = 100;

interface VerifyOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (recordsChecked: number) => void;
}

/** What a verification works with. */
export interface VerifyParts {
  readonly connections: Connections;
  readonly catalog: Catalog;
  readonly reader: Reader;
  readonly address: string;
}

/** Reads every entry and checks it: its checksum, that its id is one of ours, and that positions have no holes. */
export async function verify(parts: VerifyParts, { signal, onProgress }: VerifyOptions): Promise<VerifyReport> {
  const { catalog, connections, reader, address } = parts;
  const problems: VerifyProblem[] = [];
  let recordsChecked = 0;
  for (const spec of await catalog.list()) {
    const bounds = await reader.bounds(spec.name);
    for (const [partition, stream] of catalog.logs(spec).entries()) {
      const place = { topic: spec.name, partition, stream, address };
      let next = bounds[partition]?.first;
      const problem = (position: number, what: string): void =>
        void problems.push({
          place: `topic ${spec.name}, partition ${partition}, position ${position}`,
          problem: what,
        });
      for (let from = "-"; ;) {
        signal?.throwIfAborted();
        const command = ["XRANGE", stream, from, "+", "COUNT", String(entriesPerStep)];
        const entries = await connections.read((via) => via.send<Entry[]>(command, true));
        for (const entry of entries) {
          const position = placeOf(entry);
          const id = entry[0].toString("latin1");
          if (position === undefined)
            problem(next ?? 0, `an entry with the id ${id} stands behind it, which is never read`);
          else {
            if (next !== undefined && position > next) problem(next, `the next one is at position ${position}`);
            if (!openEntry(entry, place, position, 0)) problem(position, "does not match its checksum");
            next = position + 1;
          }
          from = `(${id}`;
        }
        recordsChecked += entries.length;
        onProgress?.(recordsChecked);
        if (entries.length < entriesPerStep) break;
      }
    }
  }
  return { recordsChecked, problems };
}
