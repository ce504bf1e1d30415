import type { Contract, DataOf } from "../../event/contract.ts";
import { encode } from "../../event/encode.ts";
import { defaultLimits } from "../../event/limits.ts";
import type { Platform } from "../../platform/platform.ts";
import type { Engine } from "../../ports/engine.ts";
import type { TopicEntry } from "../../ports/topics.ts";
import type { DocumentWrite } from "../../ports/transaction.ts";
import type { BreakerDocument } from "../guards/breaker-document.ts";
import { collections, type ControlDocument, type DeadLetter } from "../records.ts";
import { type DeadLetterData, lifecycle } from "./contracts.ts";

/** Tells what happens to subscriptions, dead letters and breakers. */
export interface LifecycleFeed {
  /**
   * The events that tell of these writes, to be published in the same transaction; undefined when there are none, or when nobody
   * asked for such events. Subscriptions to the topic of these events are passed over in silence: what fails there would
   * otherwise feed itself without end.
   */
  of(documents: readonly DocumentWrite[] | undefined): TopicEntry[] | undefined;
}

/** A feed that tells nothing. */
export const silentFeed: LifecycleFeed = Object.freeze({ of: () => undefined });

/** The feed of an engine: silent unless the topic of these events exists there. */
export async function lifecycleFeed(engine: Engine, platform: Platform, source: string): Promise<LifecycleFeed> {
  if (!(await engine.topics.find(lifecycle.topic.name))) return silentFeed;
  return {
    of(documents) {
      const entries: TopicEntry[] = [];
      if (!documents?.some(isOfInterest)) return undefined;
      for (const write of documents) {
        if (!isOfInterest(write)) continue;
        for (const [contract, data] of told(write, documents)) {
          const context = { source, nowMs: platform.clock.now(), nextId: platform.ids.next, limits: defaultLimits };
          const record = encode(contract, data, undefined, context);
          entries.push({ topic: lifecycle.topic.name, partition: 0, record });
        }
      }
      return entries.length > 0 ? entries : undefined;
    },
  };
}

/** What is said of a change. */
type Told = readonly [contract: Contract, data: object];

/** A write that sets a document. */
type Setting = DocumentWrite & { readonly value: string };

const [openLetters, closedLetters] = [collections.deadLetters(""), collections.closedDeadLetters("")];
const ownSubscriptions = `/${lifecycle.topic.name}`;

function isOfInterest({ collection, key, value }: DocumentWrite): boolean {
  if (value === null || !collection.startsWith("$")) return false;
  if (collection === collections.controls || collection === collections.breakers)
    return !key.endsWith(ownSubscriptions);
  const isLetter = collection.startsWith(openLetters) || collection.startsWith(closedLetters);
  return isLetter && !collection.endsWith(ownSubscriptions);
}

function told(write: DocumentWrite, all: readonly DocumentWrite[]): readonly Told[] {
  const { collection, key, value } = write as Setting;
  if (collection === collections.controls) return ofControl(key, JSON.parse(value) as ControlDocument);
  if (collection === collections.breakers) return ofBreaker(key, JSON.parse(value) as BreakerDocument);
  const wasClosed = all.some(
    (other) => other.key === key && other.value === null && other.collection.startsWith(closedLetters),
  );
  return ofDeadLetter(JSON.parse(value) as DeadLetter, wasClosed);
}

function ofControl(subscription: string, { paused, resumed }: ControlDocument): readonly Told[] {
  if (!paused) return resumed ? [event(lifecycle.SubscriptionResumed, { subscription, by: resumed.by })] : [];
  const { reason, by, untilMs, lost } = paused;
  const until = untilMs === undefined ? {} : { untilMs };
  const tellPause = event(lifecycle.SubscriptionPaused, { subscription, reason, by, ...until });
  return lost ? [event(lifecycle.PartitionLostPosition, { subscription, ...lost }), tellPause] : [tellPause];
}

function ofBreaker(
  breaker: string,
  { state, reason, by, openings, probeAtMs, told: isTold }: BreakerDocument,
): readonly Told[] {
  if (isTold === false) return [];
  const data = { breaker, reason, by, openings };
  if (state === "half-open") return [event(lifecycle.BreakerHalfOpened, data)];
  if (state === "closed") return [event(lifecycle.BreakerClosed, data)];
  return [event(lifecycle.BreakerOpened, { ...data, ...(probeAtMs === undefined ? {} : { probeAtMs }) })];
}

const byState = {
  open: lifecycle.DeadLetterParked,
  redriving: lifecycle.DeadLetterRedriven,
  resolved: lifecycle.DeadLetterResolved,
  discarded: lifecycle.DeadLetterDiscarded,
} as const;

function ofDeadLetter(letter: DeadLetter, wasClosed: boolean): readonly Told[] {
  // The story of an original that was edited: its dead letter has gone on with the copy.
  if (letter.editedTo !== undefined) return [];
  const { subscription, id, record, topic, partition, position, key, reason, failure, tries, redrives, closedBy } =
    letter;
  const data: DeadLetterData = {
    subscription,
    deadLetter: id,
    event: record.id,
    type: record.type,
    topic,
    partition,
    position,
    key,
    reason,
    code: failure.code,
    fingerprint: failure.fingerprint,
    failures: tries.failures,
    redrives,
    ...(closedBy === undefined ? {} : { by: closedBy }),
  };
  return [event(wasClosed ? lifecycle.DeadLetterRestored : byState[letter.state], data)];
}

function event<C extends Contract>(contract: C, data: DataOf<C>): Told {
  return [contract, data as object];
}
