import { createDeadlines } from "../delivery/run/deadlines.ts";
import { handlerScope } from "../delivery/run/handler-scope.ts";
import { createHotDocuments } from "../delivery/lanes/hot-documents.ts";
import { Guards } from "../delivery/guards/guards.ts";
import { lifecycleFeed } from "../delivery/lifecycle/feed.ts";
import { createMetrics, subscriptionMetrics } from "../delivery/metrics.ts";
import { PositionView } from "../delivery/position-view.ts";
import type { SubscriptionRuntime } from "../delivery/runtime.ts";
import { createSlots } from "../delivery/lanes/slots.ts";
import { createSoloGate } from "../delivery/lanes/solo-gate.ts";
import { Turns } from "../delivery/run/turns.ts";
import type { AdminContext } from "./context.ts";

/** A subscription without handlers, always paused: enough to open one of its partitions and to move what is held there. */
export async function idleRuntime(context: AdminContext, name: string, topic: string): Promise<SubscriptionRuntime> {
  const { engine, platform, limits, log, source } = context;
  const service = name.slice(0, name.indexOf("/"));
  const feed = await lifecycleFeed(engine, platform, source);
  const { by, memberId } = context;
  const guards = new Guards({ engine, platform, log, feed, memberId, by }, createMetrics());
  return {
    name,
    service,
    topic,
    guarantee: "exactly-once",
    engine,
    platform,
    limits,
    routes: new Map(),
    middlewares: [],
    host: { service, subscription: name, source, engine, platform, limits, log, guards, partitionOf: () => 0 },
    slots: createSlots(1),
    gate: createSoloGate(),
    turns: new Turns(platform.clock),
    hotDocuments: createHotDocuments(),
    deadlines: createDeadlines(platform.clock),
    scope: handlerScope(name),
    metrics: subscriptionMetrics(createMetrics(), engine.name, topic, name),
    hooks: {},
    log,
    view: new PositionView(engine, platform, log),
    feed,
    prefetch: { events: 1, bytes: 1 },
    inboxWindowMs: undefined,
    heldMax: Number.MAX_SAFE_INTEGER,
    member: { host: context.memberId, appVersion: undefined },
    fetchRoom: () => Number.POSITIVE_INFINITY,
    slowedBy: () => undefined,
    paused: () => true,
    pause: async () => undefined,
  };
}
