import type { Shedding } from "./admission/topic-gate.ts";
import type { OpenBreaker } from "../delivery/guards/guards.ts";
import type { PartitionStatus } from "../delivery/partition/partition.ts";
import type { Subscription } from "../delivery/subscription.ts";
import { ageAt } from "../delivery/totals.ts";
import { isComposed } from "../outbox/composed.ts";
import type { Outbox } from "../outbox/outbox.ts";
import { unsent } from "../outbox/sweep.ts";
import type { Clock } from "../platform/clock.ts";
import type { Engine } from "../ports/engine.ts";

/** How one subscription does in this process. */
export interface SubscriptionHealth {
  readonly subscription: string;
  readonly status: "ok" | "paused" | "waiting" | "stuck" | "failing";
  /** Why, when it is not ok; or why it does less than it could. */
  readonly reason: string | undefined;
  /** Partitions that this process owns. */
  readonly partitions: number;
  /** Known to be pending in the partitions that this process owns. */
  readonly lag: number;
  /** Fetched and not settled. */
  readonly inFlight: number;
  /** Among them those that run now, or wait for a retry without having given up their place. */
  readonly running: number;
  readonly heldKeys: number;
  readonly heldEvents: number;
  /** Since the last commit, or since something is on its way again if that is less; undefined when nothing is pending. */
  readonly sinceProgressMs: number | undefined;
}

/** How the outbox does, through which events go from the store to the broker. */
export interface OutboxHealth {
  /** Rows that are not sent yet, by whatever process; undefined when the store cannot be asked. */
  readonly unsent: number | undefined;
  /** Rows that the broker refuses for good, and what waits behind them, in the partitions that this process relays. */
  readonly parked: number;
  /** Why this process cannot send; undefined when that is not so. */
  readonly trouble: string | undefined;
}

/** How the application does: red means that somebody should look. */
export interface Health {
  readonly status: "green" | "yellow" | "red";
  readonly engine: { readonly name: string; readonly trouble: string | undefined };
  readonly subscriptions: readonly SubscriptionHealth[];
  /** Where broker and store are two engines: what is on its way from one to the other. */
  readonly outbox: OutboxHealth | undefined;
  /** Subscriptions, of whatever process, that are so far behind that publishers of this one are refused. */
  readonly shedding: readonly Shedding[];
  /** Circuit breakers of this process that are not closed. */
  readonly breakers: readonly OpenBreaker[];
}

/** Reads the health. A subscription with lag that commits nothing for `stuckAfterMs` is stuck, whatever else looks well. */
export async function readHealth(
  engine: Engine,
  clock: Clock,
  subscriptions: readonly Subscription[],
  shedding: readonly Shedding[],
  breakers: readonly OpenBreaker[],
  outbox: Outbox | undefined,
  stuckAfterMs: number,
): Promise<Health> {
  const all: SubscriptionHealth[] = [];
  for (const subscription of subscriptions) all.push(await healthOf(subscription, engine, clock, stuckAfterMs));
  const trouble = engine.trouble();
  const sending = await outboxHealth(outbox, engine);
  const red =
    trouble !== undefined ||
    sending?.trouble !== undefined ||
    all.some(({ status }) => status === "stuck" || status === "failing");
  const yellow =
    shedding.length + breakers.length + (sending?.parked ?? 0) > 0 ||
    all.some(({ status, heldKeys }) => status === "paused" || status === "waiting" || heldKeys > 0);
  return {
    status: red ? "red" : yellow ? "yellow" : "green",
    engine: { name: engine.name, trouble },
    subscriptions: all,
    outbox: sending,
    shedding,
    breakers,
  };
}

async function outboxHealth(outbox: Outbox | undefined, engine: Engine): Promise<OutboxHealth | undefined> {
  if (!outbox || !isComposed(engine)) return undefined;
  const parked = outbox.status().reduce((sum, relay) => sum + relay.parked, 0);
  return { unsent: await unsent(engine.store).catch(() => undefined), parked, trouble: outbox.trouble() };
}

async function healthOf(
  subscription: Subscription,
  engine: Engine,
  clock: Clock,
  stuckAfterMs: number,
): Promise<SubscriptionHealth> {
  const { name, topic } = subscription.runtime;
  const partitions = subscription.partitions();
  const bounds = await engine.topics.bounds(topic).catch(() => []);
  const lag = partitions.reduce(
    (sum, { partition, low }) => sum + Math.max(0, (bounds[partition]?.next ?? low) - low),
    0,
  );
  const lagging = partitions.filter(({ partition, low }) => (bounds[partition]?.next ?? low) > low);
  const last = lagging.length > 0 ? Math.min(...lagging.map(({ progressAt }) => progressAt)) : undefined;
  const sinceProgressMs = last === undefined ? undefined : clock.monotonic() - last;
  const trouble = subscription.trouble() ?? partitions.find((partition) => partition.trouble !== undefined)?.trouble;
  const paused = subscription.paused();
  const stuck = await isStuck(lagging, topic, engine, clock, stuckAfterMs);
  const running = partitions.reduce((sum, partition) => sum + partition.running, 0);
  // What waits for a breaker makes no progress, and shall not.
  const breaker = stuck && running === 0 ? openBreakerOf(subscription) : undefined;
  const late = breaker ? "waiting" : stuck ? "stuck" : "ok";
  const status = trouble !== undefined ? "failing" : paused ? "paused" : late;
  return {
    subscription: name,
    status,
    reason:
      trouble ??
      paused?.reason ??
      breaker ??
      (stuck
        ? `${lag} events are pending and nothing was committed for ${Math.round((sinceProgressMs ?? 0) / 1000)} s`
        : slownessOf(subscription)),
    partitions: partitions.length,
    lag,
    inFlight: partitions.reduce((sum, { inFlight }) => sum + inFlight, 0),
    running,
    heldKeys: partitions.reduce((sum, { heldKeys }) => sum + heldKeys, 0),
    heldEvents: partitions.reduce((sum, { heldEvents }) => sum + heldEvents, 0),
    sinceProgressMs,
  };
}

/** Whether one of the partitions makes no progress. What has not even been fetched may have come just now, after a quiet time. */
async function isStuck(
  lagging: readonly PartitionStatus[],
  topic: string,
  engine: Engine,
  clock: Clock,
  stuckAfterMs: number,
): Promise<boolean> {
  for (const { partition, low, inFlight, progressAt } of lagging) {
    if (clock.monotonic() - progressAt <= stuckAfterMs) continue;
    if (inFlight > 0) return true;
    const ageMs = await ageAt(engine, topic, partition, low, clock.now()).catch(() => Number.POSITIVE_INFINITY);
    if (ageMs > stuckAfterMs) return true;
  }
  return false;
}

/** Says why a subscription fetches less than it could; undefined when it does not. */
function slownessOf({ runtime }: Subscription): string | undefined {
  const where = runtime.slowedBy();
  return where && `it fetches less, because what it publishes piles up at ${where}`;
}

/** Says for which breaker a subscription waits; undefined when for none. */
function openBreakerOf({ runtime }: Subscription): string | undefined {
  for (const { guards } of runtime.routes.values()) {
    const breaker = guards?.find((guard) => guard.breaker?.isClosed() === false)?.breaker;
    if (breaker) return `it waits for the circuit breaker "${breaker.name}": ${breaker.document.reason}`;
  }
  return undefined;
}
