import type { Contract, DataOf } from "../event/contract.ts";
import { type Event, eventOf } from "../event/envelope.ts";
import { contentTypeOf, isJson, type StoredRecord } from "../event/record.ts";
import type { MemoryCall } from "../engines/memory/faults.ts";
import type { Engine } from "../ports/engine.ts";

/** An event that was published, with where it came from. */
export interface Recorded {
  readonly event: Event;
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
  /** The service whose handler published it; undefined for a publish from outside. */
  readonly by: string | undefined;
}

/** Everything that was published and took effect, in the order in which it did. */
export interface Recording {
  /** Notes a call on its way to the data. */
  note(call: MemoryCall): void;
  /** Takes in what was appended since the last time. */
  read(): Promise<void>;
  all(): readonly Recorded[];
  /** What handlers have published since the last `given` or `then`. */
  unchecked(): readonly Recorded[];
  /** Everything so far counts as looked at. */
  checked(): void;
  clear(): void;
}

/** Makes a recording that reads what is stored, so that it holds what was committed and nothing else. */
export function createRecording(observer: Engine, application: string): Recording {
  const next = new Map<string, number>();
  /** When each event was last on its way to the data: logs have no order among themselves. */
  let turns = new Map<string, number>();
  let turn = 0;
  let recorded: Recorded[] = [];
  let seen = 0;

  async function readPartition(topic: string, partition: number, end: number): Promise<StoredRecord[]> {
    const place = `${topic}/${partition}`;
    const found: StoredRecord[] = [];
    let position = next.get(place) ?? 0;
    while (position < end) {
      const page = await observer.topics.read(topic, partition, position, { events: 10_000, bytes: 64 * 1024 * 1024 });
      found.push(...page.records);
      position = page.next;
    }
    next.set(place, position);
    return found;
  }

  return {
    note({ entries, transaction }) {
      for (const { record } of entries ?? transaction?.publish ?? []) turns.set(idOf(record), turn++);
    },
    async read() {
      if (turns.size === 0) return;
      const records: StoredRecord[] = [];
      for (const { name } of await observer.topics.list()) {
        const bounds = await observer.topics.bounds(name);
        for (const [partition, { next: end }] of bounds.entries())
          if (end > (next.get(`${name}/${partition}`) ?? 0))
            records.push(...(await readPartition(name, partition, end)));
      }
      const turnOf = (record: StoredRecord): number => turns.get(idOf(record)) ?? turn;
      records.sort((a, b) => turnOf(a) - turnOf(b));
      turns = new Map();
      recorded.push(...records.map((record) => recordedOf(record, application)));
    },
    all: () => recorded,
    unchecked: () => recorded.slice(seen).filter(({ by }) => by !== undefined),
    checked() {
      seen = recorded.length;
    },
    clear() {
      recorded = [];
      seen = 0;
    },
  };
}

/** Those of one contract, with its type. */
export function ofContract<C extends Contract>(
  recorded: readonly Recorded[],
  contract: C,
): readonly Event<C["type"], DataOf<C>>[] {
  return recorded
    .filter(({ event, topic }) => event.type === contract.type && topic === contract.topic.name)
    .map(({ event }) => event as Event<C["type"], DataOf<C>>);
}

const idOf = ({ source, id }: { readonly source: string; readonly id: string }): string => `${source} ${id}`;

function recordedOf(record: StoredRecord, application: string): Recorded {
  const { topic, partition, position, source } = record;
  const prefix = `/${application}/`;
  const by = source.startsWith(prefix) ? source.slice(prefix.length) : undefined;
  return Object.freeze({ event: eventOf(record, dataOf(record)), topic, partition, position, by });
}

/** The data as they are on the wire. */
function dataOf(record: StoredRecord): unknown {
  const { data } = record;
  return typeof data === "string" && isJson(contentTypeOf(record)) ? (JSON.parse(data) as unknown) : data;
}
