import { TidingsError } from "../errors/tidings-error.ts";
import { checkContract, type Contract } from "../event/contract.ts";
import { encode, type PublishOptions, publishOptionNames } from "../event/encode.ts";
import { type Event, eventOf } from "../event/envelope.ts";
import type { EventLimits } from "../event/limits.ts";
import { dataBytes, type StoredRecord } from "../event/record.ts";
import { messageOf } from "../event/validate.ts";
import { checkText, sketch, wrongArgument } from "../lib/arguments.ts";
import { checkOptions } from "../lib/options.ts";
import { sleep } from "../platform/clock.ts";
import type { Platform } from "../platform/platform.ts";
import type { Engine } from "../ports/engine.ts";
import type { TopicEntry } from "../ports/topics.ts";
import type { Check, DocumentWrite, TimerWrite, UserWork } from "../ports/transaction.ts";
import type { Context, StateBox } from "./context.ts";
import { callThrough } from "./guards/call.ts";
import type { Dependency } from "./guards/dependency.ts";
import { GuardNotes } from "./guards/entrance.ts";
import type { Guards } from "./guards/guards.ts";
import { type Logger, withFields } from "./log.ts";
import { collections } from "./records.ts";

/** What units of work of one subscription share. */
export interface UnitHost {
  readonly service: string;
  readonly subscription: string;
  /** CloudEvents source of what its handlers publish. */
  readonly source: string;
  readonly engine: Engine;
  readonly platform: Platform;
  readonly limits: EventLimits;
  readonly log: Logger;
  readonly guards: Guards;
  /** The partition of an event of this topic and key. Throws when the topic is not the application's. */
  partitionOf(contract: Contract, key: string | null): number;
}

/** What a unit of work will write. Lists stay undefined while empty: most units have one publish or nothing. */
export interface UnitWrites {
  checks?: Check[];
  documents?: DocumentWrite[];
  timers?: TimerWrite[];
  publish?: TopicEntry[];
  sql?: UserWork[];
  /** Rough size of what is published and written. */
  bytes: number;
}

/** What a unit needs to know of the delivery it belongs to. */
export interface UnitDelivery {
  readonly record: StoredRecord;
  readonly attempt: number;
  guarded: GuardNotes | undefined;
  /** Resolves when earlier deliveries of the lane that write this document are committed. */
  laneCommitted(collection: string, key: string): Promise<void> | undefined;
}

/** The context of one run of a handler: records what it does, for one commit. */
export class UnitOfWork implements Context {
  readonly #host: UnitHost;
  readonly #delivery: UnitDelivery;
  #ended = false;
  #abort: AbortController | undefined;
  #log: Logger | undefined;
  writes: UnitWrites | undefined;
  /** How many of its reads wait for an earlier delivery of its lane to be committed. */
  waitsForCommits = 0;

  constructor(host: UnitHost, delivery: UnitDelivery) {
    this.#host = host;
    this.#delivery = delivery;
  }

  get attempt(): number {
    return this.#delivery.attempt;
  }
  get subscription(): string {
    return this.#host.subscription;
  }
  get partition(): number {
    return this.#delivery.record.partition;
  }
  get position(): number {
    return this.#delivery.record.position;
  }
  get log(): Logger {
    const { id, type, key } = this.#delivery.record;
    return (this.#log ??= withFields(this.#host.log, {
      subscription: this.subscription,
      event: id,
      type,
      key,
      attempt: this.attempt,
    }));
  }
  get signal(): AbortSignal {
    return (this.#abort ??= new AbortController()).signal;
  }

  publish<Type extends string, In>(
    contract: Contract<Type, In>,
    data: NoInfer<In>,
    options?: PublishOptions,
  ): Event<Type, In> {
    this.#mustBeOpen("publish");
    checkContract("ctx.publish", contract);
    if (options) checkOptions("ctx.publish", options, publishOptionNames);
    const { platform, limits, source } = this.#host;
    const plain = contract as unknown as Contract;
    const record = encode(plain, data, options, {
      source,
      nowMs: platform.clock.now(),
      nextId: platform.ids.next,
      limits,
      cause: this.#delivery.record,
    });
    const entry: TopicEntry = {
      topic: contract.topic.name,
      partition: this.#host.partitionOf(plain, record.key),
      record,
      ...(options?.id === undefined ? {} : { checkId: true }),
    };
    const writes = this.#writes();
    (writes.publish ??= []).push(entry);
    writes.bytes += dataBytes(record.data) + 200;
    return eventOf<Type, In>(record, data);
  }

  state<Value>(box: string): StateBox<Value> {
    checkText("ctx.state()", "the name of a box", box);
    this.#mustHaveStore("ctx.state");
    const collection = collections.state(this.#host.service, box);
    return {
      get: (key) => this.#read<Value>(collection, key),
      set: (key, value) => this.#write(collection, key, JSON.stringify(value) ?? null),
      delete: (key) => this.#write(collection, key, null),
    };
  }

  async once<Result>(key: string, effect: () => Promise<Result> | Result): Promise<Result> {
    this.#mustBeOpen("once");
    checkText("ctx.once()", "a key", key);
    checkFunction("ctx.once()", effect);
    this.#mustHaveStore("ctx.once");
    const { engine, subscription } = this.#host;
    const collection = collections.once(subscription);
    const [known] = (await engine.state?.get(collection, [key])) ?? [];
    if (known) return (JSON.parse(known.value) as { result: Result }).result;
    const result = await effect();
    await engine.transact?.({ documents: [{ collection, key, value: JSON.stringify({ result }) }] });
    return result;
  }

  async call<Result>(dependency: Dependency, work: (signal: AbortSignal) => Promise<Result> | Result): Promise<Result> {
    this.#mustBeOpen("call");
    if (typeof (dependency as Dependency | undefined | null)?.name !== "string")
      throw wrongArgument(
        `ctx.call() takes what dependency(…) returns, then a function; it was given ${sketch(dependency)}.`,
      );
    checkFunction("ctx.call()", work);
    const { guards } = this.#host;
    const guard = guards.of(dependency);
    await guards.load(guard);
    const notes = (this.#delivery.guarded ??= new GuardNotes());
    notes.calls += 1;
    return callThrough(guard, notes, notes.calls === 1, this.signal, work);
  }

  now(): number {
    return this.#host.platform.clock.now();
  }

  sleep(delayMs: number): Promise<void> {
    return sleep(this.#host.platform.clock, delayMs, this.signal);
  }

  tx(work: UserWork): void {
    this.#mustBeOpen("tx");
    if (!this.#host.engine.capabilities.userSql) {
      throw new TidingsError(
        "TIDINGS_UNSUPPORTED",
        `ctx.tx needs a store with SQL, and the engine "${this.#host.engine.name}" has none; use sqlite or postgres.`,
        { details: { engine: this.#host.engine.name, subscription: this.subscription } },
      );
    }
    checkFunction("ctx.tx()", work);
    (this.#writes().sql ??= []).push(work);
  }

  /** Closes the unit: whatever the handler does from now on throws. */
  end(): void {
    this.#ended = true;
  }

  /** Tells the handler to stop. */
  abort(reason: unknown): void {
    (this.#abort ??= new AbortController()).abort(reason);
  }

  #writes(): UnitWrites {
    return (this.writes ??= { bytes: 0 });
  }

  #mustHaveStore(what: string): void {
    const { name, capabilities } = this.#host.engine;
    if (capabilities.transactions) return;
    throw new TidingsError(
      "TIDINGS_UNSUPPORTED",
      `${what} needs a store, and "${name}" keeps positions only: name one with the option store or TIDINGS_STORE.`,
      { details: { engine: name, subscription: this.subscription } },
    );
  }

  #mustBeOpen(what: string): void {
    if (!this.#ended) return;
    const { id, type } = this.#delivery.record;
    throw new TidingsError(
      "TIDINGS_HANDLER_ENDED",
      `ctx.${what} was called after the handler of "${type}" in "${this.subscription}" had ended; await everything inside the handler.`,
      { details: { subscription: this.subscription, type, event: id } },
    );
  }

  /** A document as this unit sees it: its own write, else the committed one once earlier writes of the lane are committed. */
  async #read<Value>(collection: string, key: string): Promise<Value | undefined> {
    this.#mustBeOpen("state().get");
    checkText("ctx.state().get()", "a key", key);
    const own = this.writes?.documents?.findLast((write) => write.collection === collection && write.key === key);
    if (own) return own.value === null ? undefined : (JSON.parse(own.value) as Value);
    const earlier = this.#delivery.laneCommitted(collection, key);
    if (earlier) {
      this.waitsForCommits += 1;
      await earlier;
      this.waitsForCommits -= 1;
    }
    const state = this.#host.engine.state;
    if (!state) throw new TidingsError("TIDINGS_UNSUPPORTED", `The engine "${this.#host.engine.name}" holds no state.`);
    const [document] = await state.get(collection, [key]);
    this.#mustBeOpen("state().get");
    const checks = (this.#writes().checks ??= []);
    if (!checks.some((check) => check.collection === collection && check.key === key)) {
      checks.push({ collection, key, version: document?.version ?? 0 });
    }
    try {
      return document && (JSON.parse(document.value) as Value);
    } catch (cause) {
      throw new TidingsError(
        "TIDINGS_DECODE_FAILED",
        `The document "${key}" of ${collection} is not JSON: ${messageOf(cause)}`,
        { cause },
      );
    }
  }

  #write(collection: string, key: string, value: string | null): void {
    this.#mustBeOpen("state().set");
    // Else the commit would fall over it, with everything else that is in it.
    checkText("ctx.state().set()", "a key", key);
    const writes = this.#writes();
    const documents = (writes.documents ??= []);
    const index = documents.findIndex((write) => write.collection === collection && write.key === key);
    if (index >= 0) documents.splice(index, 1);
    documents.push({ collection, key, value });
    writes.bytes += (value?.length ?? 0) + key.length;
  }
}

function checkFunction(where: string, given: unknown): void {
  if (typeof given !== "function") throw wrongArgument(`${where} takes a function, and was given ${sketch(given)}.`);
}
