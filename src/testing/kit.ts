import { TidingsError } from "../errors/tidings-error.ts";
import type { App } from "../app/app.ts";
import type { Health } from "../app/health.ts";
import type { Contract, DataOf } from "../event/contract.ts";
import type { PublishOptions } from "../event/encode.ts";
import type { Event } from "../event/envelope.ts";
import { collections, type DeadLetter } from "../delivery/records.ts";
import type { Metric } from "../delivery/metrics.ts";
import type { Service } from "../delivery/service.ts";
import type { FaultHook } from "../engines/memory/faults.ts";
import { checkOptions } from "../lib/options.ts";
import type { VirtualClock } from "../platform/virtual.ts";
import type { CrashOptions } from "./crash-points.ts";
import { askRedrive, readDeadLetters } from "./dead-letters.ts";
import { differences } from "./differences.ts";
import { type Duration, durationMs } from "./duration.ts";
import {
  asJson,
  deadLetterDifferences,
  eventDifferences,
  type ExpectedDeadLetter,
  expectationFailed,
} from "./expectations.ts";
import { type Failing, type FailOptions, failing } from "./faults.ts";
import { readOutstanding, tableOf } from "./outstanding.ts";
import { ofContract, type Recorded } from "./recording.ts";
import type { Session } from "./session.ts";
import { settle } from "./settle.ts";

/** Events to publish, each with the data of its contract. */
export type Given<Contracts extends readonly Contract[]> = {
  readonly [Index in keyof Contracts]: readonly [
    contract: Contracts[Index],
    data: DataOf<Contracts[Index]>,
    options?: PublishOptions,
  ];
};

/** Events that are expected; without data, any event of the contract. */
export type Expected<Contracts extends readonly Contract[]> = {
  readonly [Index in keyof Contracts]: readonly [contract: Contracts[Index], data?: DataOf<Contracts[Index]>];
};

const pairsOf = (pairs: unknown): readonly (readonly [Contract, unknown, PublishOptions?])[] => pairs as never;

/**
 * An application under test: in memory, on a clock that stands still. Every verb comes back when the application is at
 * rest again. Made by `testApp`.
 */
export class TestKit {
  readonly #session: Session;

  /** @internal */
  constructor(session: Session) {
    this.#session = session;
  }

  /** The application; after a crash another one. */
  get app(): App {
    return this.#session.process.app;
  }

  /** The clock that the application goes by. */
  get clock(): VirtualClock {
    return this.#session.clock;
  }

  /** How often the process has died so far. */
  get crashes(): number {
    return this.#session.crashes;
  }

  /** What has happened before: publishes the events, lets them be handled, and forgets all that was published. */
  async given<Contracts extends readonly Contract[]>(...events: Given<Contracts>): Promise<void> {
    const publications = pairsOf(events).map(([contract, data, options]) => [contract, data, options] as const);
    if (publications.length > 0) await this.#session.drive(this.app.publishAll(publications as never));
    await settle(this.#session);
    this.#session.recording.clear();
  }

  /** Publishes an event, and resolves with it when everything that follows from it has come to rest. */
  when<Type extends string, In>(
    contract: Contract<Type, In>,
    data: NoInfer<In>,
    options?: PublishOptions,
  ): Promise<Event<Type, In>>;
  /** Runs the function, and resolves with its result when everything that follows has come to rest. */
  when<Result>(run: () => Result | Promise<Result>): Promise<Result>;
  async when(what: Contract | (() => unknown), data?: unknown, options?: PublishOptions): Promise<unknown> {
    const result =
      typeof what === "function"
        ? await what()
        : await this.#session.drive(this.app.publish(what as never, data as never, options));
    await settle(this.#session);
    return result;
  }

  /** Lets time pass; timers on the way fire at their instants, and what they start settles before the next one. */
  async advance(duration: Duration): Promise<void> {
    await this.#session.advance(durationMs(duration));
    await settle(this.#session);
  }

  /**
   * Resolves when nothing is in flight, ready or due now; what waits for time to pass does not count. Throws
   * TIDINGS_NOT_SETTLED with a table of what is outstanding.
   */
  settled(): Promise<void> {
    return settle(this.#session);
  }

  /** The events of a contract that were published since the last `given`, by whomever. */
  published<C extends Contract>(contract: C): readonly Event<C["type"], DataOf<C>>[] {
    return ofContract(this.#session.recording.all(), contract);
  }

  /** Everything that was published since the last `given`, in the order in which it took effect. */
  recording(): readonly Recorded[] {
    return [...this.#session.recording.all()];
  }

  /**
   * Exactly these events were published by handlers since the last `given` or `then…`, in this order within each key.
   * Throws TIDINGS_EXPECTATION_FAILED with what differs.
   */
  async thenPublished<Contracts extends readonly Contract[]>(...events: Expected<Contracts>): Promise<void> {
    await settle(this.#session);
    const { recording } = this.#session;
    const expected = pairsOf(events).map(([contract, data]) => ({ contract, data: asJson(data) }));
    const lines = eventDifferences(recording.unchecked(), expected);
    if (lines.length > 0) {
      const what =
        expected.length === 0 ? "Handlers published something" : "Handlers did not publish what was expected";
      throw await this.#failed(`${what} (- missing, + not expected, ~ different, ! out of order):`, lines);
    }
    recording.checked();
  }

  /** Handlers published nothing since the last `given` or `then…`. */
  thenNothing(): Promise<void> {
    return this.thenPublished();
  }

  /** A document of a service has this value; `undefined`: there is none. */
  async thenState(service: string, box: string, key: string, value: unknown): Promise<void> {
    await settle(this.#session);
    const [document] = (await this.#session.observer.state?.get(collections.state(service, box), [key])) ?? [];
    const actual = document && (JSON.parse(document.value) as unknown);
    const lines = differences(actual, asJson(value), "it").map((line) => `  ${line}`);
    if (lines.length > 0) throw await this.#failed(`The document ${service}/${box}/${key} is not as expected:`, lines);
  }

  /** These are all dead letters there are; what an expectation leaves out may be anything. */
  async thenDeadLetters(expected: readonly ExpectedDeadLetter[]): Promise<void> {
    await settle(this.#session);
    const lines = deadLetterDifferences(await this.deadLetters(), expected);
    if (lines.length > 0)
      throw await this.#failed("The dead letters are not as expected (- missing, + not expected):", lines);
  }

  /** The open dead letters, in the order in which they were parked. */
  deadLetters(): Promise<readonly DeadLetter[]> {
    return readDeadLetters(this.#session.observer);
  }

  /** Hands dead letters to their handlers again: all that are open, or those given. */
  async redrive(letters?: readonly DeadLetter[]): Promise<void> {
    const { observer, options } = this.#session;
    const check = await askRedrive(observer, options.platform, letters ?? (await this.deadLetters()));
    await settle(this.#session);
    await check();
  }

  /**
   * The process dies as by SIGKILL: what was not committed is lost, what was stays, and a new application starts on it.
   * With `at` it dies the next time a handler gets there, and this call only says so.
   */
  async crash(options: CrashOptions = {}): Promise<void> {
    checkOptions("kit.crash()", options, ["at", "service", "event", "times", "services"]);
    const { at } = options;
    if (at === undefined) {
      await this.#session.crash(options.services);
      await settle(this.#session);
    } else if (at === "before-handler" || at === "before-commit" || at === "after-commit") {
      this.#session.points.arm({ ...options, at });
    } else {
      throw new TidingsError(
        "TIDINGS_INVALID_OPTION",
        'The option at of kit.crash() is "before-handler", "before-commit" or "after-commit".',
      );
    }
  }

  /** Stops the application as a deploy does, and starts one with these services (or the same ones) on its data. */
  async restart(options: { readonly services?: readonly Service[] } = {}): Promise<void> {
    checkOptions("kit.restart()", options, ["services"]);
    await this.#session.replace(options.services ?? this.#session.services);
    await settle(this.#session);
  }

  /**
   * Makes the store fail: the next publish from outside, the next commit of a unit of work, the next read; or whatever
   * a hook of the memory engine says. Returns a function that ends it.
   */
  fail(what: Failing | FaultHook, options: FailOptions = {}): () => void {
    const hook = typeof what === "function" ? what : failing(what, options);
    this.#session.faults.add(hook);
    return () => void this.#session.faults.delete(hook);
  }

  /** As `app.health()`. */
  health(): Promise<Health> {
    return this.#session.drive(this.app.health());
  }

  /** As `app.metrics()`; counted from the start of the process. */
  metrics(): readonly Metric[] {
    return this.app.metrics();
  }

  /** Ends the application at once, whatever it is doing. */
  close(): Promise<void> {
    return this.#session.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** With what is not done, which is often the reason. */
  async #failed(title: string, lines: readonly string[]): Promise<TidingsError> {
    const table = tableOf(await readOutstanding(this.#session.observer, this.#session.process.handlers.running()));
    return expectationFailed([title, ...lines, table && "Outstanding:", table]);
  }
}
