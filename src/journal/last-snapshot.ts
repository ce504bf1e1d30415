import { recordBytes } from "../event/record.ts";
import type { Engine } from "../ports/engine.ts";
import type { Bounds } from "../ports/topics.ts";
import { formatVersion, journalTopic, readEntry } from "./command.ts";
import { newerError } from "./errors.ts";
import { commandsPerSnapshot } from "./growth.ts";
import { type Snapshot, Snapshots } from "./snapshots.ts";

const page = { events: 512, bytes: 1 << 20 };

/**
 * Looks for it from the end backwards, in stretches of twice the length. All that is not in it must be there. Rejects with
 * TIDINGS_SCHEMA_TOO_NEW when a newer version has written one.
 */
export async function lastSnapshot(broker: Engine, { first, next }: Bounds): Promise<Snapshot | undefined> {
  for (let stretch = commandsPerSnapshot; ; stretch *= 2) {
    const from = Math.max(first, next - stretch);
    const found = await lastSnapshotBehind(broker, from);
    if (found && found.at >= first - 1) return found;
    if (from === first) return undefined;
  }
}

async function lastSnapshotBehind(broker: Engine, from: number): Promise<Snapshot | undefined> {
  const snapshots = new Snapshots();
  let last: Snapshot | undefined;
  for (let position = from, end = false; !end;) {
    const read = await broker.topics.read(journalTopic, 0, position, page);
    for (const record of read.records) {
      const part = readEntry(record)?.part;
      if (part && part.v > formatVersion) throw newerError(broker);
      const whole = part && snapshots.add(part, recordBytes(record));
      if (whole && whole.at >= (last?.at ?? 0)) last = whole;
    }
    end = read.next <= position || read.end;
    position = read.next;
  }
  return last;
}
