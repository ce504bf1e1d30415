/**
 * tidings: events, producers and consumers for TypeScript, on one SQLite file or on a broker.
 *
 * @module
 */
export { type App, tidings } from "./app/app.ts";
export type { Shedding } from "./app/admission/topic-gate.ts";
export type { Health, SubscriptionHealth } from "./app/health.ts";
export type { AppOptions, EngineFactory } from "./app/options.ts";
export type { Publication } from "./app/publisher.ts";
export type { ServiceState } from "./app/service-state.ts";

export type { Admin } from "./admin/admin.ts";
export type { DeadLetterFilter } from "./admin/dead-letter-filter.ts";
export type { DeadLetterGroup } from "./admin/dead-letter-groups.ts";
export type { Edit } from "./admin/edit.ts";
export type { JsonPatchOperation } from "./admin/json-patch.ts";
export type { RedriveOptions } from "./admin/redrive-options.ts";
export type { RedrivePlan, RedriveReport } from "./admin/redrives.ts";

export { type TopicDefinition, type TopicOptions, topic } from "./event/topic.ts";
export {
  type Contract,
  type DataOf,
  type EventOf,
  type EventType,
  type Retention,
  type Several,
  several,
  type Topic,
} from "./event/contract.ts";
export { cloudEventJson, type Event, type EventAttributes } from "./event/envelope.ts";
export { recordFromCloudEvent } from "./event/from-cloud-event.ts";
export type { EventLimits } from "./event/limits.ts";
export type { EventRecord } from "./event/record.ts";
export type { PublishOptions } from "./event/encode.ts";

export {
  type BatchHandler,
  type BatchItem,
  type BatchOptions,
  type From,
  type Guarantee,
  type Handler,
  type HandlerOptions,
  type Service,
  type ServiceOptions,
  service,
} from "./delivery/service.ts";
export type { Context, StateBox } from "./delivery/context.ts";
export type { DeliveryInfo, Hooks } from "./delivery/hooks.ts";
export {
  type BreakerData,
  type DeadLetterData,
  lifecycle,
  type LostPositionData,
  type SubscriptionPausedData,
  type SubscriptionResumedData,
} from "./delivery/lifecycle/contracts.ts";
export type { Logger } from "./delivery/log.ts";
export {
  type BreakerOptions,
  type Dependency,
  dependency,
  type DependencyOptions,
  type RateOptions,
} from "./delivery/guards/dependency.ts";
export type { OpenBreaker } from "./delivery/guards/guards.ts";
export type { Metric } from "./delivery/metrics.ts";
export type { Middleware } from "./delivery/middleware/middleware.ts";
export { limitRate } from "./delivery/middleware/limit-rate.ts";
export { logDeliveries } from "./delivery/middleware/log-deliveries.ts";
export { skipTenants } from "./delivery/middleware/skip-tenants.ts";
export type { DeliveryOptions, OnFailure, RetryAction, RetryPolicy, RetryRule } from "./delivery/policy.ts";
export type { DeadLetter } from "./delivery/records.ts";
export type { SubscriptionTotals, Totals } from "./delivery/totals.ts";

export { ConflictError, PauseError, RetryAfterError, TerminalError } from "./errors/control.ts";
export { type ErrorCode } from "./errors/codes.ts";
export { hasCode, isTidingsError, TidingsError } from "./errors/tidings-error.ts";
