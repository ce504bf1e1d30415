import { TidingsError } from "../errors/tidings-error.ts";
import type { Contract, Topic } from "../event/contract.ts";
import type { EventLimits } from "../event/limits.ts";
import { keylessPartitions, partitionOf } from "../event/partitioner.ts";
import { messageOf } from "../event/validate.ts";
import { createDeadlines } from "../delivery/run/deadlines.ts";
import { createHotDocuments } from "../delivery/lanes/hot-documents.ts";
import { Guards } from "../delivery/guards/guards.ts";
import { lifecycleFeed } from "../delivery/lifecycle/feed.ts";
import type { Logger } from "../delivery/log.ts";
import type { Metrics } from "../delivery/metrics.ts";
import { PositionView } from "../delivery/position-view.ts";
import { createSoloGate } from "../delivery/lanes/solo-gate.ts";
import { Turns } from "../delivery/run/turns.ts";
import { RedriveDriver } from "../delivery/redrive/driver.ts";
import type { Subscription } from "../delivery/subscription.ts";
import { ownerOf } from "../membership/names.ts";
import { bindStore } from "../outbox/binding.ts";
import { isComposed } from "../outbox/composed.ts";
import { Outbox } from "../outbox/outbox.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";
import { Admission } from "./admission/admission.ts";
import { Maintenance } from "./maintenance.ts";
import { defaultMemberId, releaseDead } from "./member-id.ts";
import type { AppOptions, PublishLimits } from "./options.ts";
import { Publisher } from "./publisher.ts";
import { Signals } from "./signals.ts";
import { subscriptionsOf } from "./subscriptions.ts";
import { createTopicBook, type TopicBook } from "./topic-book.ts";

/** What a running application is made of. */
export interface Running {
  readonly engine: Engine;
  readonly publisher: Publisher;
  readonly admission: Admission;
  readonly subscriptions: readonly Subscription[];
  readonly guards: Guards;
  /** Where broker and store are two engines: what is on its way from one to the other. */
  readonly outbox: Outbox | undefined;
  stop(timeoutMs: number): Promise<void>;
}

/** What is there when an application begins to run. */
export interface RunOptions {
  readonly options: AppOptions;
  readonly engine: Engine;
  readonly platform: Platform;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly topics: ReadonlyMap<string, Topic>;
  readonly limits: EventLimits & { readonly publish: PublishLimits };
}

/** What begins together. */
type Beginning = Pick<Running, "outbox" | "subscriptions" | "guards" | "admission"> & { readonly signals: Signals };

/** Registers everything, then begins to consume. */
export async function run(given: RunOptions): Promise<Running> {
  const { options, engine, platform, log, metrics, topics } = given;
  const services = options.services ?? [];
  if (services.length > 0) requireStore(engine);
  for (const topic of topics.values()) checkRetention(topic, engine);
  const book = createTopicBook(engine, options.partitions ?? 4);
  await book.declareAll(topics.values());
  await releaseDead(engine);
  const memberId = options.memberId ?? defaultMemberId(platform);
  const admission = new Admission({ engine, platform, log, metrics, memberId });
  const feed = await lifecycleFeed(engine, platform, `/${options.name}`);
  const guards = new Guards({ engine, platform, log, feed, memberId, by: `app ${options.name}` }, metrics);
  const view = new PositionView(engine, platform, log);
  const shared = {
    ...given,
    memberId,
    feed,
    guards,
    view,
    gate: createSoloGate(),
    turns: new Turns(platform.clock),
    hotDocuments: createHotDocuments(),
    deadlines: createDeadlines(platform.clock),
    admission,
    partitionOf: partitioner(book, topics, platform),
  };
  const subscriptions = subscriptionsOf(shared, book);
  const names = subscriptions.map(({ runtime }) => runtime.name);
  await bindStore(engine, platform, names);
  for (const subscription of subscriptions) await subscription.register();
  const signals = new Signals(engine, platform.clock, log, subscriptions);
  const maintenance = maintenanceOf(given, memberId);
  const outbox = outboxOf(given, memberId);
  await begin(given, { outbox, subscriptions, guards, signals, admission });
  view.start(subscriptions);
  const redrives = new RedriveDriver({ engine, platform, log, memberId, ttlMs: options.memberTtlMs ?? 10_000 });
  if (services.length > 0) {
    maintenance.start();
    redrives.start();
  }
  return {
    engine,
    publisher: publisherOf(given, book, admission),
    admission,
    subscriptions,
    guards,
    outbox,
    async stop(timeoutMs) {
      const untilMs = platform.clock.monotonic() + timeoutMs;
      signals.stop();
      maintenance.stop();
      view.stop();
      await Promise.all([redrives.stop(), drain(subscriptions, platform, log, timeoutMs)]);
      await guards.stop();
      await outbox?.stop(untilMs);
      await admission.stop();
      await engine.close();
    },
  };
}

/** Begins to consume. What has begun ends again when something fails. */
async function begin({ options, platform, log }: RunOptions, parts: Beginning): Promise<void> {
  const { outbox, subscriptions, guards, signals, admission } = parts;
  try {
    await outbox?.start();
    if (subscriptions.length > 0) {
      await guards.start();
      await signals.look();
      signals.start();
    }
    await admission.start();
    await Promise.all(subscriptions.map((subscription) => subscription.start()));
    if (subscriptions.length > 0) await signals.look();
  } catch (error) {
    signals.stop();
    await drain(subscriptions, platform, log, options.drainTimeoutMs ?? 30_000);
    await Promise.all([guards.stop(), outbox?.stop()]);
    throw error;
  }
}

function publisherOf(given: RunOptions, topics: TopicBook, admission: Admission): Publisher {
  const { engine, platform, limits, metrics, options } = given;
  const { hooks = {}, name } = options;
  return new Publisher({ engine, admission, platform, source: `/${name}`, limits, topics, metrics, hooks });
}

function maintenanceOf({ options, engine, platform, log, topics }: RunOptions, memberId: string): Maintenance {
  const owner = ownerOf(memberId, "housekeeping");
  const everyMs = options.retentionEveryMs ?? 60_000;
  return new Maintenance({ engine, clock: platform.clock, log, owner, topics: [...topics.values()], everyMs });
}

function outboxOf({ options, engine, platform, log }: RunOptions, memberId: string): Outbox | undefined {
  if (!isComposed(engine)) return undefined;
  return new Outbox({ engine, platform, log, memberId, ttlMs: options.memberTtlMs ?? 10_000 });
}

/** Stops every subscription; handlers that run after the deadline are told to abort, and given up a little later. */
async function drain(
  subscriptions: readonly Subscription[],
  platform: Platform,
  log: Logger,
  timeoutMs: number,
): Promise<void> {
  const { clock } = platform;
  const stopped = Promise.all(subscriptions.map((subscription) => subscription.stop()));
  let giveUp: () => void = () => undefined;
  const deadline = new Promise<void>((resolve) => (giveUp = resolve));
  let cancel = clock.after(timeoutMs, () => {
    const error = new TidingsError(
      "TIDINGS_DRAIN_TIMEOUT",
      `Handlers were still running ${timeoutMs} ms after stop; what they did is not committed and will be repeated.`,
    );
    log.warn({ code: error.code }, messageOf(error));
    for (const subscription of subscriptions) subscription.abort(error);
    cancel = clock.after(Math.min(1000, timeoutMs), giveUp);
  });
  await Promise.race([stopped, deadline]);
  cancel();
  await Promise.all(subscriptions.map((subscription) => subscription.abandon()));
}

/** What nobody would ever do is refused at start. */
function checkRetention({ name, retention }: Topic, { name: engine, capabilities }: Engine): void {
  const lacks =
    (retention?.maxAgeMs !== undefined && !capabilities.retentionByAge) ||
    (retention?.partitionBytesMax !== undefined && !capabilities.retentionBySize);
  if (!lacks) return;
  throw new TidingsError(
    "TIDINGS_UNSUPPORTED",
    `The topic "${name}" has a retention, and the engine "${engine}" cannot remove events of its choice: leave it out, and set it in the server.`,
    { details: { engine, topic: name } },
  );
}

function requireStore(engine: Engine): void {
  if (engine.state && engine.leases && engine.transact && engine.timers) return;
  throw new TidingsError(
    "TIDINGS_UNSUPPORTED",
    `The engine "${engine.name}" holds no state, and services need a store for their positions: name one with the option store or TIDINGS_STORE (sqlite on one machine, postgres for several).`,
    { details: { engine: engine.name } },
  );
}

/** Finds the partition of what a handler publishes. */
function partitioner(
  book: TopicBook,
  topics: ReadonlyMap<string, Topic>,
  platform: Platform,
): (contract: Contract, key: string | null) => number {
  const keyless = keylessPartitions(platform.random.uint32());
  return (contract, key) => {
    const partitions = book.known(contract.topic);
    if (partitions === undefined) {
      throw new TidingsError(
        "TIDINGS_NOT_FOUND",
        `The topic "${contract.topic.name}" is not known to this application, which has ${[...topics.keys()].join(", ")}: add it as tidings({ topics: [...] }).`,
        { details: { topic: contract.topic.name } },
      );
    }
    return key === null ? keyless(partitions) : partitionOf(key, partitions);
  };
}
