import { defaultLimits, type EventLimits } from "../event/limits.ts";
import type { StoredRecord } from "../event/record.ts";
import { type Logger, silentLogger } from "../delivery/log.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine, EngineInfo, VerifyReport } from "../ports/engine.ts";
import { adoptStore } from "../outbox/binding.ts";
import { withArgumentsChecked } from "./arguments.ts";
import type { AdminContext, ContractOf } from "./context.ts";
import { type BreakersAdmin, breakersAdmin } from "./breakers.ts";
import { type SubscriptionsAdmin, subscriptionsAdmin } from "./controls.ts";
import { type Diagnosis, diagnose, type DoctorLimits } from "./doctor.ts";
import { type EventStory, findEvent, type FindOptions } from "./find-event.ts";
import { type Guarantee, guarantees } from "./guarantees.ts";
import { type HeldKeysAdmin, heldKeysAdmin } from "./held-keys.ts";
import { type OutboxAdmin, outboxAdmin } from "./outbox.ts";
import { type PublishedEvent, publisherOf, type RawEvent } from "./publish.ts";
import { readEvents, type ReadOptions } from "./read-events.ts";
import { type DeadLettersAdmin, deadLettersAdmin } from "./repair.ts";
import { type RedrivesAdmin, redrivesAdmin } from "./redrives.ts";
import { type TopicsAdmin, topicsAdmin } from "./topics.ts";

/** Operations on events as they are stored, whatever their contracts say. */
export interface EventsAdmin {
  /** Publishes all or none. Handlers validate what they get; nothing is validated here but the form of a CloudEvent. */
  publish(events: readonly RawEvent[], options?: { readonly dryRun?: boolean }): Promise<readonly PublishedEvent[]>;
  /** Reads topics as one sequence, or follows them. */
  read(options: ReadOptions): AsyncIterable<StoredRecord>;
  /** Finds an event with its causes, its effects, and what became of it. Throws TIDINGS_NOT_FOUND. */
  find(id: string, options?: FindOptions): Promise<EventStory>;
}

/** Operations on the engine itself. */
export interface EngineAdmin {
  info(): Promise<EngineInfo>;
  /** Reads everything and checks it. */
  verify(options?: Parameters<Engine["verify"]>[0]): Promise<VerifyReport>;
  /** Which promises hold, and how. */
  guarantees(): readonly Guarantee[];
  diagnose(limits?: DoctorLimits): Promise<Diagnosis>;
  /**
   * Where broker and store are two engines: puts this store in the place of others that are gone for good; `restored`: also in the
   * place of itself, when it was set back to an earlier state. No application may run on it. Resolves with the subscriptions
   * that had another one. Throws TIDINGS_UNSUPPORTED where they are one.
   */
  adopt(options?: { readonly restored?: boolean }): Promise<readonly string[]>;
}

/**
 * Everything that operators can read and repair, as one contract: the command line, HTTP and the console speak
 * only this. It works beside running applications, in whatever process they are, and without any.
 */
export interface Admin {
  readonly topics: TopicsAdmin;
  readonly events: EventsAdmin;
  readonly subscriptions: SubscriptionsAdmin;
  readonly heldKeys: HeldKeysAdmin;
  readonly deadLetters: DeadLettersAdmin;
  readonly redrives: RedrivesAdmin;
  readonly breakers: BreakersAdmin;
  readonly outbox: OutboxAdmin;
  readonly engine: EngineAdmin;
}

/** What `createAdmin` takes. */
export interface AdminOptions {
  readonly engine: Engine;
  readonly platform: Platform;
  /** Who asks, for the story of what is paused, redriven or discarded. */
  readonly by: string;
  /** Unique name under which it takes partitions that nobody owns: `<host>.<pid>.<chance>`. */
  readonly memberId: string;
  /** CloudEvents source of raw events that name none; `/tidings/admin`. */
  readonly source?: string;
  readonly limits?: EventLimits;
  readonly log?: Logger;
  /** How long to wait for the owner of a partition; 30 s. */
  readonly timeoutMs?: number;
  /** Frees leases of processes that are known to be dead. */
  readonly freeDead?: () => Promise<unknown>;
  /** The contract by which a service handles a type: edits are checked against it. */
  readonly contractOf?: ContractOf;
}

/** The operations on an open engine. */
export function createAdmin(options: AdminOptions): Admin {
  const { engine, platform } = options;
  const context: AdminContext = {
    source: "/tidings/admin",
    limits: defaultLimits,
    log: silentLogger,
    timeoutMs: 30_000,
    freeDead: async () => undefined,
    ...options,
  };
  return withArgumentsChecked({
    topics: topicsAdmin(context),
    events: {
      publish: publisherOf(context),
      read: (reading) => readEvents(engine, platform.clock, reading),
      find: (id, finding) => findEvent(engine, id, finding),
    },
    subscriptions: subscriptionsAdmin(context),
    heldKeys: heldKeysAdmin(context),
    deadLetters: deadLettersAdmin(context),
    redrives: redrivesAdmin(context),
    breakers: breakersAdmin(context),
    outbox: outboxAdmin(context),
    engine: {
      info: () => engine.info(),
      verify: (verifying) => engine.verify(verifying),
      guarantees: () => guarantees[engine.name] ?? [],
      diagnose: (limits) => diagnose(context, limits),
      adopt: async (options) => adoptStore(engine, platform, options),
    },
  });
}
