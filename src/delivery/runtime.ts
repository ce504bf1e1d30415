import type { EventLimits } from "../event/limits.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";
import type { ResolvedRoute } from "./lanes/delivery.ts";
import type { SoloGate } from "./lanes/solo-gate.ts";
import type { Hooks } from "./hooks.ts";
import type { LifecycleFeed } from "./lifecycle/feed.ts";
import type { HotDocuments } from "./lanes/hot-documents.ts";
import type { Logger } from "./log.ts";
import type { SubscriptionMetrics } from "./metrics.ts";
import type { Middleware } from "./middleware/middleware.ts";
import type { PositionView } from "./position-view.ts";
import type { ControlDocument } from "./records.ts";
import type { Guarantee } from "./service.ts";
import type { Slots } from "./lanes/slots.ts";
import type { HandlerScope } from "./run/handler-scope.ts";
import type { Deadlines } from "./run/deadlines.ts";
import type { Turns } from "./run/turns.ts";
import type { UnitHost } from "./unit-of-work.ts";

/** What the partitions of one subscription share in one process. */
export interface SubscriptionRuntime {
  readonly name: string;
  readonly service: string;
  readonly topic: string;
  readonly guarantee: Guarantee;
  readonly engine: Engine;
  readonly platform: Platform;
  readonly limits: EventLimits;
  readonly routes: ReadonlyMap<string, ResolvedRoute>;
  readonly middlewares: readonly Middleware[];
  readonly host: UnitHost;
  readonly slots: Slots;
  readonly gate: SoloGate;
  readonly turns: Turns;
  readonly hotDocuments: HotDocuments;
  readonly deadlines: Deadlines;
  readonly scope: HandlerScope;
  readonly metrics: SubscriptionMetrics;
  readonly hooks: Hooks;
  readonly log: Logger;
  /** Shows the tools of the engine how far it is. */
  readonly view: PositionView;
  /** Tells of what becomes of dead letters, pauses and breakers. */
  readonly feed: LifecycleFeed;
  readonly prefetch: { readonly events: number; readonly bytes: number };
  /** How long identities are remembered; undefined without an inbox. */
  readonly inboxWindowMs: number | undefined;
  /** Most events behind held keys of one partition, before it stops. */
  readonly heldMax: number;
  /** Where this process runs and what it is, for dead letters. */
  readonly member: { readonly host: string; readonly appVersion: string | undefined };
  /** How many events should be on their way at most, because what its handlers publish piles up elsewhere. */
  fetchRoom(): number;
  /** Name of the subscription where that piles up; undefined when there is no such. */
  slowedBy(): string | undefined;
  /** Whether the subscription is paused: nothing new is fetched or started. */
  paused(): boolean;
  /** Pauses the subscription: here at once, and durably in every process. `lost`: what retention has removed, if that is why. */
  pause(
    reason: string,
    pauseMs: number | undefined,
    lost?: NonNullable<ControlDocument["paused"]>["lost"],
  ): Promise<void>;
}
