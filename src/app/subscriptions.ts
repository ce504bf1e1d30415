import type { Contract } from "../event/contract.ts";
import type { Deadlines } from "../delivery/run/deadlines.ts";
import { handlerScope } from "../delivery/run/handler-scope.ts";
import type { ResolvedRoute } from "../delivery/lanes/delivery.ts";
import type { HotDocuments } from "../delivery/lanes/hot-documents.ts";
import type { LifecycleFeed } from "../delivery/lifecycle/feed.ts";
import type { Guard } from "../delivery/guards/guard.ts";
import type { Guards } from "../delivery/guards/guards.ts";
import { subscriptionMetrics } from "../delivery/metrics.ts";
import { PauseSwitch } from "../delivery/pause-switch.ts";
import { resolvePolicy } from "../delivery/policy.ts";
import { subscriptionName } from "../delivery/records.ts";
import type { PositionView } from "../delivery/position-view.ts";
import type { SubscriptionRuntime } from "../delivery/runtime.ts";
import type { Registration } from "../delivery/registration.ts";
import type { Guarantee, Service } from "../delivery/service.ts";
import { createSlots } from "../delivery/lanes/slots.ts";
import type { SoloGate } from "../delivery/lanes/solo-gate.ts";
import type { Turns } from "../delivery/run/turns.ts";
import { createSubscription, type Subscription } from "../delivery/subscription.ts";
import type { Admission } from "./admission/admission.ts";
import { Throttle } from "./admission/throttle.ts";
import { host } from "./member-id.ts";
import type { RunOptions } from "./running.ts";
import type { TopicBook } from "./topic-book.ts";
import { checkWithoutStore } from "./without-store.ts";

/** What all subscriptions of an application share. */
export interface Shared extends RunOptions {
  readonly memberId: string;
  readonly feed: LifecycleFeed;
  readonly guards: Guards;
  readonly view: PositionView;
  readonly gate: SoloGate;
  readonly turns: Turns;
  readonly hotDocuments: HotDocuments;
  readonly deadlines: Deadlines;
  readonly admission: Admission;
  readonly partitionOf: (contract: Contract, key: string | null) => number;
}

/** One subscription for each service and topic that it has handlers for. */
export function subscriptionsOf(shared: Shared, book: TopicBook): readonly Subscription[] {
  const subscriptions = [];
  for (const service of shared.options.services ?? []) {
    const topics = new Set([...service.routes.values()].map(({ contract }) => contract.topic.name));
    for (const topic of topics) subscriptions.push(subscriptionOf(shared, book, service, topic));
  }
  return subscriptions;
}

function subscriptionOf(shared: Shared, book: TopicBook, service: Service, topic: string): Subscription {
  const { options, engine, platform } = shared;
  const { log, feed } = shared;
  const pauseSwitch = new PauseSwitch({ name: subscriptionName(service.name, topic), engine, platform, log, feed });
  const runtime = runtimeOf(shared, service, topic, pauseSwitch);
  const { name, guarantee, routes } = runtime;
  checkWithoutStore(runtime);
  const { from } = service.options;
  const definition = definitionOf(service, topic, guarantee, routes, book);
  const member = {
    memberId: shared.memberId,
    ttlMs: options.memberTtlMs ?? 10_000,
    // Longer than the application's own deadline, which first tells handlers to abort.
    drainTimeoutMs: (options.drainTimeoutMs ?? 30_000) + 5000,
  };
  return createSubscription(runtime, { engine, clock: platform.clock, name, from, definition }, member, pauseSwitch);
}

function runtimeOf(shared: Shared, service: Service, topic: string, pauseSwitch: PauseSwitch): SubscriptionRuntime {
  const { engine, platform, log, options, limits, guards } = shared;
  const { concurrency = 64, prefetch, inbox, guarantee = "exactly-once", use = [] } = service.options;
  const name = subscriptionName(service.name, topic);
  const source = `/${options.name}/${service.name}`;
  const throttle = new Throttle(shared.admission, name);
  const partitionOf: Shared["partitionOf"] = (contract, key) => {
    throttle.publishesTo(contract.topic.name);
    return shared.partitionOf(contract, key);
  };
  return {
    name,
    service: service.name,
    topic,
    guarantee,
    engine,
    platform,
    limits,
    routes: resolveRoutes(shared, service, topic),
    middlewares: [...(options.use ?? []), ...use],
    host: { service: service.name, subscription: name, source, engine, platform, limits, log, guards, partitionOf },
    slots: createSlots(concurrency),
    gate: shared.gate,
    turns: shared.turns,
    hotDocuments: shared.hotDocuments,
    deadlines: shared.deadlines,
    scope: handlerScope(name),
    metrics: subscriptionMetrics(shared.metrics, engine.name, topic, name),
    hooks: options.hooks ?? {},
    log,
    view: shared.view,
    feed: shared.feed,
    prefetch: { events: prefetch?.events ?? 512, bytes: prefetch?.bytes ?? 16 * 1024 * 1024 },
    inboxWindowMs: inbox?.windowMs,
    heldMax: 100_000,
    member: { host: host(), appVersion: options.version },
    fetchRoom: () => throttle.room(),
    slowedBy: () => throttle.because(),
    paused: () => pauseSwitch.paused !== undefined,
    pause: (reason, pauseMs, lost) => pauseSwitch.pause(reason, pauseMs, lost),
  };
}

function definitionOf(
  service: Service,
  topic: string,
  guarantee: Guarantee,
  routes: ReadonlyMap<string, ResolvedRoute>,
  book: TopicBook,
): Registration["definition"] {
  const [first] = routes.values();
  const guards = [
    ...new Set([...routes.values()].flatMap((route) => (route.guards ?? []).map(({ name }) => name))),
  ].sort();
  const types = [...routes].map(([type, { contract }]) => [type, contract.dataVersion] as const);
  return {
    service: service.name,
    topic,
    epoch: service.options.epoch ?? 1,
    types: Object.fromEntries(types.sort(([a], [b]) => (a < b ? -1 : 1))),
    guarantee,
    onFailure: first?.policy.onFailure ?? "blockKey",
    partitions: book.known(first?.contract.topic as Contract["topic"]) as number,
    ...(guards.length > 0 ? { guards } : {}),
    ...(service.options.backlog ? { backlog: { eventsMax: service.options.backlog.eventsMax } } : {}),
  };
}

function resolveRoutes(
  { options, guards }: Shared,
  service: Service,
  topic: string,
): ReadonlyMap<string, ResolvedRoute> {
  const routes = new Map<string, ResolvedRoute>();
  const { breaker, rate, uses = [] } = service.options;
  const own = guards.ofSubscription(subscriptionName(service.name, topic), breaker, rate);
  for (const [type, route] of service.routes) {
    if (route.contract.topic.name !== topic) continue;
    const policy = resolvePolicy(options.delivery, service.options, options.policies?.[type], route.options);
    const used = [...uses, ...(route.options.uses ?? [])].map((dependency) => guards.of(dependency));
    const all = [...new Set<Guard>([...(own ? [own] : []), ...used])];
    routes.set(type, { ...route, policy, guards: all.length > 0 ? all : undefined });
  }
  return routes;
}
