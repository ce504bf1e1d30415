import { TidingsError } from "../errors/tidings-error.ts";
import type { Topic } from "../event/contract.ts";
import { defaultLimits, type EventLimits } from "../event/limits.ts";
import { checkName } from "../event/names.ts";
import type { Hooks } from "../delivery/hooks.ts";
import { lifecycle } from "../delivery/lifecycle/contracts.ts";
import type { Logger } from "../delivery/log.ts";
import type { Middleware } from "../delivery/middleware/middleware.ts";
import { checkDeliveryOptions, type DeliveryOptions } from "../delivery/policy.ts";
import type { Service } from "../delivery/service.ts";
import { checkOptions } from "../lib/options.ts";
import { checkOptionParts } from "./option-parts.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine, EngineContext } from "../ports/engine.ts";

/** Something that opens an engine: what `memory()`, `sqlite()` and their like return. */
export interface EngineFactory {
  open(context: EngineContext): Promise<Engine>;
}

/** How much may wait to be written before publishers are refused. */
export interface PublishLimits {
  readonly eventsMax: number;
  readonly bytesMax: number;
}

/** What `tidings()` takes. */
export interface AppOptions {
  /** Name of the application; `/name` is the CloudEvents source of what it publishes. */
  readonly name: string;
  /** `memory:`, `sqlite:shop.db`, …; the environment's TIDINGS_URL when absent. */
  readonly url?: string;
  /** An engine made by hand, instead of a URL. */
  readonly engine?: EngineFactory;
  /**
   * Where state, positions and held keys live when the engine only carries events: `postgres://…`, `sqlite:shop.db`, or an engine
   * made by hand. All members share it. Beside a URL the environment's TIDINGS_STORE when absent; without either the engine itself.
   */
  readonly store?: string | EngineFactory;
  readonly services?: readonly Service[];
  /** Topics that it publishes to besides those its services handle. */
  readonly topics?: readonly Topic[];
  /**
   * Publish events of the topic `tidings.lifecycle` about pauses, dead letters and breakers. They are published as well when a
   * service of the application handles one of them, and when another application on the same store has asked for them.
   */
  readonly lifecycle?: boolean;
  /** Version of your program, for dead letters. */
  readonly version?: string;
  /** A logger in the shape of pino; JSON lines on stderr from `warn` on unless given. */
  readonly logger?: Logger;
  /** Stops the application when it aborts. */
  readonly signal?: AbortSignal;
  /** Delivery policy of every service that says nothing else. */
  readonly delivery?: DeliveryOptions;
  /** Delivery policies by event type, between those of the service and those of the handler. */
  readonly policies?: Readonly<Record<string, DeliveryOptions>>;
  /** Around every handler, outermost first. */
  readonly use?: readonly Middleware[];
  readonly hooks?: Hooks;
  readonly limits?: Partial<EventLimits> & { readonly publish?: Partial<PublishLimits> };
  /** Partitions of topics that do not say; 4. */
  readonly partitions?: number;
  /** Name of this process among the members; unique among those that live at once. */
  readonly memberId?: string;
  /** How long a member that fell silent keeps its partitions; 10 s. */
  readonly memberTtlMs?: number;
  /** How long `stop` waits for running handlers; 30 s. */
  readonly drainTimeoutMs?: number;
  /** How long ids chosen by publishers are remembered; a day. */
  readonly deduplicationWindowMs?: number;
  /** Health turns red when a subscription with lag has made no progress for so long; 60 s. */
  readonly stuckAfterMs?: number;
  /** How often retention runs; 60 s. */
  readonly retentionEveryMs?: number;
  /** Time, chance and ids; the system's unless a test owns them. */
  readonly platform?: Platform;
}

/** Names of `AppOptions`, for checks. */
export const appOptionNames = [
  "name", "url", "engine", "store", "services", "topics", "lifecycle", "version", "logger", "signal", "delivery", "policies", "use", "hooks", "limits",
  "partitions", "memberId", "memberTtlMs", "drainTimeoutMs", "deduplicationWindowMs", "stuckAfterMs", "retentionEveryMs", "platform",
]; // prettier-ignore

/** Refuses options that cannot be meant. Throws TIDINGS_INVALID_OPTION, TIDINGS_INVALID_NAME. */
export function checkAppOptions(options: AppOptions): void {
  checkOptions("tidings()", options, appOptionNames);
  if (typeof options.name !== "string")
    throw new TidingsError("TIDINGS_INVALID_OPTION", 'tidings() needs a name: tidings({ name: "shop", … }).');
  checkName("service", options.name);
  checkOptionParts(options);
  if (options.memberId !== undefined) checkName("member", options.memberId);
  checkOptions("tidings().limits", options.limits ?? {}, ["eventBytesMax", "depthMax", "publish"]);
  checkDeliveryOptions("tidings().delivery", options.delivery ?? {});
  for (const [type, policy] of Object.entries(options.policies ?? {}))
    checkDeliveryOptions(`tidings().policies["${type}"]`, policy);
  for (const name of [
    "partitions",
    "memberTtlMs",
    "drainTimeoutMs",
    "deduplicationWindowMs",
    "stuckAfterMs",
    "retentionEveryMs",
  ] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isInteger(value) && value > 0)) {
      throw new TidingsError(
        "TIDINGS_INVALID_OPTION",
        `The option ${name} of tidings() must be a whole number of at least 1.`,
      );
    }
  }
  if (options.lifecycle !== undefined && typeof options.lifecycle !== "boolean")
    throw new TidingsError("TIDINGS_INVALID_OPTION", "The option lifecycle of tidings() must be true or false.");
  const services = new Set<string>();
  for (const { name } of options.services ?? []) {
    if (services.has(name))
      throw new TidingsError("TIDINGS_INVALID_OPTION", `The application has two services named "${name}".`);
    services.add(name);
  }
}

/** The limits that hold. */
export function limitsOf(options: AppOptions): EventLimits & { readonly publish: PublishLimits } {
  const { publish, ...limits } = options.limits ?? {};
  return { ...defaultLimits, ...limits, publish: { eventsMax: 20_000, bytesMax: 64 * 1024 * 1024, ...publish } };
}

/** Every topic that the application knows, by name. Throws TIDINGS_INVALID_OPTION when two declarations of one topic differ. */
export function topicsOf(options: AppOptions): ReadonlyMap<string, Topic> {
  const topics = new Map<string, Topic>();
  const add = (topic: Topic): void => {
    const known = topics.get(topic.name);
    if (known && known !== topic && known.partitions !== topic.partitions) {
      throw new TidingsError(
        "TIDINGS_INVALID_OPTION",
        `The topic "${topic.name}" is declared twice with different numbers of partitions.`,
      );
    }
    topics.set(topic.name, known ?? topic);
  };
  if (options.lifecycle) add(lifecycle.topic);
  for (const topic of options.topics ?? []) add(topic);
  for (const { routes } of options.services ?? []) for (const { contract } of routes.values()) add(contract.topic);
  return topics;
}
