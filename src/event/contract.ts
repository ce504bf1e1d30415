import type { StandardSchemaV1 } from "@standard-schema/spec";
import { TidingsError } from "../errors/tidings-error.ts";
import { sketch, wrongArgument } from "../lib/arguments.ts";
import type { Event } from "./envelope.ts";

/** A partitioned, replayable log of events, as code declares it. */
export interface Topic {
  readonly name: string;
  /** How many partitions to create it with; undefined leaves it to the application. */
  readonly partitions: number | undefined;
  /** The ordering key of an event's data; undefined when the topic has no keys. */
  readonly key: ((data: never) => string | null) | undefined;
  readonly retention: Retention | undefined;
}

/** How long a topic keeps what every subscription has done with. */
export interface Retention {
  /** Remove events appended longer ago than this, in milliseconds. */
  readonly maxAgeMs?: number;
  /** Keep each partition at most about so large, in bytes. */
  readonly partitionBytesMax?: number;
  /** Remove also what a subscription has not handled yet. */
  readonly force?: boolean;
}

/** A step from one version of an event type to the next. */
export interface VersionStep {
  readonly version: number;
  readonly schema: StandardSchemaV1;
  /** From the version before; undefined for the first. */
  readonly upcast: ((data: never) => unknown) | undefined;
}

declare const types: unique symbol;

/**
 * What an event type promises: its topic, its name, and the shape of its data. `In` is what publishers hand over and
 * what the wire holds; `Out` is what the schema makes of it for handlers. Both are plain types, so that a program with
 * hundreds of contracts costs the compiler no more than its schemas do. `Contract` alone means any contract.
 */
export interface Contract<Type extends string = string, In = never, Out = unknown> {
  readonly type: Type;
  readonly topic: Topic;
  /** Current version of the data. */
  readonly dataVersion: number;
  /** All steps from version 1 on. */
  readonly steps: readonly VersionStep[];
  /** Only for the compiler. */
  readonly [types]?: { readonly in: (data: In) => void; readonly out: Out };
}

/** The event that handlers of a contract get: `EventOf<typeof OrderPlaced>`. */
export type EventOf<C extends Contract> = C extends Contract<infer Type, never, infer Out> ? Event<Type, Out> : never;

/** The data that publishers of a contract hand over: `DataOf<typeof OrderPlaced>`. */
export type DataOf<C extends Contract> = C extends Contract<string, infer In> ? In : never;

/** What `topic.event` takes. */
export interface EventOptions<In, Out> {
  /** Any Standard Schema: zod, valibot, arktype, ... It must answer synchronously. */
  readonly data: StandardSchemaV1<In, Out>;
}

/** What `.version` takes. `Before` is the data of the version before, as it was published. */
export interface VersionOptions<Before, In, Out, Result = unknown> extends EventOptions<In, Out> {
  /** Makes data of this version from data of the one before. Pure: it runs wherever a stored event is read. */
  readonly upcast: (data: Before) => Result;
}

/** What an upcaster may return for data of type `In`: one, several, or none. */
export type Upcasted<In> = Immutable<In> | Several<Immutable<In>>;

/**
 * The type with everything readonly. Upcasters may return that, so that their results can be inferred as constants:
 * only then does `currency: "EUR"` fit where the schema wants one of a few words.
 */
type Immutable<T> = unknown extends T ? T : { readonly [Name in keyof T]: Immutable<T[Name]> };

/** A contract that can be given a further version. */
export interface EventType<Type extends string, In, Out, KeyData> extends Contract<Type, In, Out> {
  /**
   * The next version of this event type. Stored events of the version before pass through `upcast` wherever they are
   * read; return `several(a, b)` to make several of one, `several()` to make none.
   * Throws TIDINGS_NO_UPCASTER without `upcast`, or when a number is skipped.
   */
  version<NextIn extends KeyData, NextOut, const Result extends Upcasted<NoInfer<NextIn>>>(
    version: number,
    options: VersionOptions<In, NextIn, NextOut, Result>,
  ): EventType<Type, NextIn, NextOut, KeyData>;
}

// Registered, so that two copies of the package in one process understand each other.
const severalBrand: unique symbol = Symbol.for("tidings.several") as never;

/** What an upcaster returns when one stored event becomes none or several. */
export interface Several<Data> {
  readonly [severalBrand]: readonly Data[];
}

/** Makes an upcaster yield the given events instead of exactly one. */
export function several(): Several<never>;
export function several<const Data>(...items: readonly Data[]): Several<Data>;
export function several<Data>(...items: readonly Data[]): Several<Data> {
  return { [severalBrand]: items };
}

/** The items an upcaster yielded. */
export function yielded(result: unknown): readonly unknown[] {
  if (typeof result === "object" && result !== null && severalBrand in result) {
    return (result as Several<unknown>)[severalBrand];
  }
  return [result];
}

/** Whether a value is an event type, as `topic(…).event(…)` makes them. */
export function isContract(value: unknown): value is Contract {
  const contract = value as Partial<Contract> | null | undefined;
  return (
    typeof contract === "object" &&
    contract !== null &&
    Array.isArray(contract.steps) &&
    contract.steps.length > 0 &&
    typeof contract.type === "string" &&
    typeof contract.topic?.name === "string"
  );
}

/** Refuses what is no event type. Throws TIDINGS_INVALID_ARGUMENT. */
export function checkContract(where: string, value: unknown): void {
  if (isContract(value)) return;
  throw wrongArgument(
    `${where} takes an event type made by topic(…).event(…), then its data, and was given ${sketch(value)} for the event type.`,
  );
}

/** Refuses a step that does not follow the one before it. Throws TIDINGS_NO_UPCASTER. */
export function checkStep(type: string, current: number, next: number, upcast: unknown): void {
  if (next !== current + 1) {
    throw new TidingsError(
      "TIDINGS_NO_UPCASTER",
      `Version ${next} of "${type}" does not follow version ${current}: add version ${current + 1} with its upcaster first.`,
      { details: { type, version: next } },
    );
  }
  if (typeof upcast !== "function") {
    throw new TidingsError(
      "TIDINGS_NO_UPCASTER",
      `Version ${next} of "${type}" has no upcaster: add \`upcast: (v${current}) => v${next}\`, so that stored events of version ${current} can be read.`,
      { details: { type, version: next } },
    );
  }
}
