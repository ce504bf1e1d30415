import type { Topic } from "../event/contract.ts";
import { messageOf } from "../event/validate.ts";
import type { Logger } from "../delivery/log.ts";
import { collections, type DeadLetter } from "../delivery/records.ts";
import { readDefinitions, readPositions } from "../delivery/totals.ts";
import type { CancelTimer, Clock } from "../platform/clock.ts";
import type { Engine } from "../ports/engine.ts";

/** Housekeeping of the store, done by one member at a time, in small steps. */
export interface Maintenance {
  start(): void;
  /** Does it now. */
  run(): Promise<void>;
  stop(): void;
}

/** How long the story of a closed dead letter is kept. */
const closedKeptMs = 30 * 24 * 60 * 60 * 1000;

export function createMaintenance(
  engine: Engine,
  clock: Clock,
  log: Logger,
  owner: string,
  topics: readonly Topic[],
  everyMs: number,
): Maintenance {
  let cancel: CancelTimer | undefined;
  let stopped = false;

  async function run(): Promise<void> {
    const [lease] = (await engine.leases?.acquire([{ name: "maintenance", owner, ttlMs: everyMs }])) ?? [];
    if (!lease) return;
    const definitions = await readDefinitions(engine);
    for (const topic of topics) if (topic.retention && !stopped) await retain(topic, definitions);
    for (const [name] of definitions) {
      if (stopped) return;
      await pruneInbox(name);
      await pruneClosed(name);
    }
  }

  async function retain(topic: Topic, definitions: Awaited<ReturnType<typeof readDefinitions>>): Promise<void> {
    const { maxAgeMs, partitionBytesMax, force } = topic.retention ?? {};
    const floors = [];
    for (const [name, definition] of definitions) {
      if (definition.topic === topic.name)
        floors.push((await readPositions(engine, name, definition.partitions)).map(({ low }) => low));
    }
    const [first, ...rest] = floors;
    const floor =
      force || !first ? undefined : first.map((low, i) => Math.min(low, ...rest.map((lows) => lows[i] ?? low)));
    const removed = await engine.topics.retain(topic.name, {
      ...(maxAgeMs === undefined ? {} : { appendedBeforeMs: clock.now() - maxAgeMs }),
      ...(partitionBytesMax === undefined ? {} : { partitionBytesMax }),
      ...(floor ? { floor } : {}),
    });
    if (removed > 0) log.info({ topic: topic.name, events: removed }, "retention removed events");
  }

  async function pruneInbox(name: string): Promise<void> {
    const queue = collections.inbox(name);
    for (;;) {
      const old = (await engine.timers?.due(queue, clock.now(), 500)) ?? [];
      if (old.length === 0 || stopped) return;
      await engine.transact?.({
        timers: old.map(({ key, version }) => ({ queue, key, dueAtMs: null, version })),
        durable: false,
      });
    }
  }

  async function pruneClosed(name: string): Promise<void> {
    const collection = collections.closedDeadLetters(name);
    // Ids rise with time, so that the oldest come first.
    const page = (await engine.state?.scan(collection, { limit: 200 })) ?? [];
    const old = page.filter(
      ({ value }) => ((JSON.parse(value) as DeadLetter).closedAtMs ?? 0) < clock.now() - closedKeptMs,
    );
    if (old.length > 0)
      await engine.transact?.({ documents: old.map(({ key }) => ({ collection, key, value: null })), durable: false });
  }

  function tick(): void {
    run()
      .catch((error: unknown) => log.warn({ err: messageOf(error) }, "housekeeping failed and is tried again later"))
      .finally(() => {
        if (!stopped) cancel = clock.after(everyMs, tick, true);
      });
  }

  return {
    start() {
      cancel = clock.after(everyMs, tick, true);
    },
    run,
    stop() {
      stopped = true;
      cancel?.();
    },
  };
}
