import { TidingsError } from "../errors/tidings-error.ts";
import { sketch, wrongArgument } from "../lib/arguments.ts";
import { checkOptions } from "../lib/options.ts";
import {
  checkStep,
  type EventOptions,
  type EventType,
  type Retention,
  type Topic,
  type VersionOptions,
  type VersionStep,
} from "./contract.ts";
import { checkEventType, checkName } from "./names.ts";

/** What `topic()` takes. */
export interface TopicOptions<KeyData> {
  /**
   * The ordering key of an event: events of one key are handled in order, one at a time. Null means
   * that this event needs no order. Without this option no event of the topic has a key.
   */
  readonly key?: (data: KeyData) => string | null;
  /** How many partitions the topic is created with; the application's default otherwise. Fixed once it exists. */
  readonly partitions?: number;
  readonly retention?: Retention;
}

/** A topic with the means to define its events. */
export interface TopicDefinition<KeyData> extends Topic {
  /** Defines an event type of this topic, version 1. `KeyData` must be found in its data. */
  event<const Type extends string, In extends KeyData, Out>(
    type: Type,
    options: EventOptions<In, Out>,
  ): EventType<Type, In, Out, KeyData>;
}

/**
 * Declares a topic. Throws TIDINGS_INVALID_NAME, TIDINGS_INVALID_OPTION.
 *
 * @example
 * const orders = topic("orders", { key: (data: { orderId: string }) => data.orderId });
 */
export function topic<KeyData = unknown>(name: string, options: TopicOptions<KeyData> = {}): TopicDefinition<KeyData> {
  checkName("topic", name);
  checkOptions(`topic("${name}")`, options, ["key", "partitions", "retention"]);
  const { key, partitions, retention = {} } = options;
  if (key !== undefined && typeof key !== "function") throw optionError(name, "key", "must be a function of the data");
  checkWhole(name, "partitions", partitions);
  checkOptions(`topic("${name}").retention`, retention, ["maxAgeMs", "partitionBytesMax", "force"]);
  checkWhole(name, "retention.maxAgeMs", retention.maxAgeMs);
  checkWhole(name, "retention.partitionBytesMax", retention.partitionBytesMax);
  const types = new Set<string>();
  const self: TopicDefinition<KeyData> = {
    name,
    partitions,
    key,
    retention: options.retention,
    event(type, eventOptions) {
      checkEventType(type);
      if (types.has(type)) {
        throw new TidingsError(
          "TIDINGS_DUPLICATE_EVENT_TYPE",
          `The topic "${name}" has an event type "${type}" already; add a version to it with .version(2, …).`,
          { details: { topic: name, type } },
        );
      }
      types.add(type);
      checkOptions(`event("${type}")`, eventOptions ?? {}, ["data"]);
      return eventType(self, type, [{ version: 1, schema: schemaOf(type, eventOptions), upcast: undefined }]);
    },
  };
  return Object.freeze(self);
}

function checkWhole(topic: string, option: string, value: unknown): void {
  if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= 1)) return;
  throw optionError(topic, option, "must be a whole number of at least 1");
}

function optionError(topic: string, option: string, rule: string): TidingsError {
  return new TidingsError("TIDINGS_INVALID_OPTION", `The option ${option} of topic "${topic}" ${rule}.`, {
    details: { topic, option },
  });
}

/** Builds a contract from its steps; the last one is current. */
function eventType<Type extends string, In, Out, KeyData>(
  owner: Topic,
  type: Type,
  steps: readonly VersionStep[],
): EventType<Type, In, Out, KeyData> {
  const self: EventType<Type, In, Out, KeyData> = {
    type,
    topic: owner,
    steps,
    dataVersion: steps.length,
    version<NextIn extends KeyData, NextOut>(version: number, options: VersionOptions<In, NextIn, NextOut>) {
      if (typeof version !== "number")
        throw wrongArgument(`"${type}".version() takes the number of the version, and was given ${sketch(version)}.`);
      checkOptions(`"${type}".version(${version})`, options ?? {}, ["data", "upcast"]);
      checkStep(type, steps.length, version, options?.upcast);
      const step: VersionStep = {
        version,
        schema: schemaOf(type, options),
        upcast: options.upcast,
      };
      return eventType<Type, NextIn, NextOut, KeyData>(owner, type, [...steps, step]);
    },
  };
  return Object.freeze(self);
}

function schemaOf(type: string, options: { readonly data: unknown } | undefined): VersionStep["schema"] {
  const schema = options?.data as VersionStep["schema"];
  if (typeof schema?.["~standard"]?.validate !== "function") {
    throw new TidingsError(
      "TIDINGS_INVALID_OPTION",
      `The event type "${type}" needs { data: schema }, where schema follows Standard Schema (zod, valibot, arktype, …).`,
      { details: { type } },
    );
  }
  return schema;
}
