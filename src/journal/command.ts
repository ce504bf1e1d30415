import type { EventRecord, StoredRecord } from "../event/record.ts";
import type { Lease, LeaseRequest } from "../ports/leases.ts";
import type { Check, DocumentWrite, Fence, TimerWrite } from "../ports/transaction.ts";
import { isCommand, isFields, isPart } from "./shape.ts";

/** The topic on the broker in which the journal stands. */
export const journalTopic = "tidings.journal";
export const commandType = "tidings.journal.command";
export const snapshotType = "tidings.journal.snapshot";
const source = "/tidings/journal";

/** What this version writes; whoever reads a higher one must not go on, since it would come to another state than others. */
export const formatVersion = 1;

/** What changes the state: each member does the same, in the order of the journal. */
export type Command =
  | {
      readonly op: "write";
      readonly fences: readonly Fence[];
      readonly checks: readonly Check[];
      readonly documents: readonly DocumentWrite[];
      readonly timers: readonly TimerWrite[];
    }
  | { readonly op: "acquire"; readonly requests: readonly LeaseRequest[] }
  | { readonly op: "renew"; readonly leases: readonly Lease[]; readonly ttlMs: number }
  | { readonly op: "release"; readonly leases: readonly Lease[] };

/** A part of the whole state as it was behind the command at `at`. */
export interface SnapshotPart {
  readonly v: number;
  readonly snapshot: string;
  readonly at: number;
  readonly part: number;
  readonly parts: number;
  readonly text: string;
}

/** Who wrote a command, and the number that it has among theirs: what comes behind a higher one was there before, or came late. */
export interface Written {
  readonly by: string;
  readonly n: number;
}

/** A command as an event. `id` tells whoever wrote it that it is applied. */
export function recordOfCommand(id: string, { by, n }: Written, command: Command, timeMs: number): EventRecord {
  return recordOf(id, commandType, { v: formatVersion, by, n, command }, timeMs);
}

export function recordOfPart(id: string, part: SnapshotPart, timeMs: number): EventRecord {
  return recordOf(id, snapshotType, part, timeMs);
}

function recordOf(id: string, type: string, data: unknown, timeMs: number): EventRecord {
  return { id, source, type, timeMs, key: null, attributes: undefined, data: JSON.stringify(data) };
}

/** What an event of the journal says; of a command, who wrote it. */
export interface Entry extends Partial<Written> {
  readonly v: number;
  readonly command?: Command;
  readonly part?: SnapshotPart;
}

/** Undefined when somebody else has put it there, so that nobody applies it. A higher version's is told by its `v` alone. */
export function readEntry(record: StoredRecord): Entry | undefined {
  if (record.source !== source || typeof record.data !== "string") return undefined;
  if (record.type !== commandType && record.type !== snapshotType) return undefined;
  const value = parsed(record.data);
  if (!isFields(value) || typeof value["v"] !== "number") return undefined;
  const { v } = value;
  if (record.type === snapshotType) return v > formatVersion || isPart(value) ? { v, part: value as unknown as SnapshotPart } : undefined; // prettier-ignore
  const { by, n, command } = value;
  if (v > formatVersion) return { v };
  if (!isCommand(command)) return undefined;
  return typeof by === "string" && typeof n === "number" ? { v, by, n, command } : { v, command };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
