import type { Contract } from "../event/contract.ts";
import type { PublishOptions } from "../event/encode.ts";
import type { Event } from "../event/envelope.ts";
import type { Dependency } from "./guards/dependency.ts";
import type { UserWork } from "../ports/transaction.ts";
import type { Logger } from "./log.ts";

/** Documents of a service, read as committed plus what earlier deliveries of the same key wrote. */
export interface StateBox<Value> {
  /** The value, or undefined. What was read is checked at commit: if it changed meanwhile the delivery runs again. */
  get(key: string): Promise<Value | undefined>;
  /** Records a write; it takes effect with the unit of work. The value is written as JSON. */
  set(key: string, value: Value): void;
  /** Records a removal. */
  delete(key: string): void;
}

/** What a handler does to the system goes through its context, and commits together when the handler has ended. */
export interface Context {
  /** Records a publish and returns the event as it will be, frozen. Correlation, causation, trace and tenant follow from the handled event. */
  publish<Type extends string, In>(
    contract: Contract<Type, In>,
    data: NoInfer<In>,
    options?: PublishOptions,
  ): Event<Type, In>;
  /** Documents of this service under a name of your choice. */
  state<Value>(box: string): StateBox<Value>;
  /**
   * Runs an effect outside the system and remembers its result under the key, so that a later try does not repeat it.
   * A crash between the effect and the remembering repeats it: the window is narrow and never closed.
   */
  once<Result>(key: string, effect: () => Promise<Result> | Result): Promise<Result>;
  /**
   * Calls something outside by its name, unless its circuit breaker is open or its rate is used up. Then it throws
   * TIDINGS_BREAKER_OPEN or TIDINGS_RATE_LIMITED; unless the handler catches that, the delivery waits and runs again without having
   * used up an attempt. What `work` throws comes back, and counts as a failure of the dependency as its options say.
   */
  call<Result>(dependency: Dependency, work: (signal: AbortSignal) => Promise<Result> | Result): Promise<Result>;
  /**
   * Runs SQL of your own inside the commit of the unit of work: with sqlite synchronously, with postgres `db.query(text, values)`
   * is awaited. Throws TIDINGS_UNSUPPORTED where the store has no SQL.
   */
  tx(work: UserWork): void;
  /** The time, in milliseconds since 1970: the application's clock, which a test may own. */
  now(): number;
  /** Waits; rejects as soon as `signal` aborts. The delivery keeps its slot meanwhile. */
  sleep(delayMs: number): Promise<void>;
  /** Aborts when the handler has run too long, or when the application stops and its deadline has passed. */
  readonly signal: AbortSignal;
  /** 1 for the first delivery of this event. */
  readonly attempt: number;
  /** Name of the subscription, `<service>/<topic>`. */
  readonly subscription: string;
  readonly partition: number;
  readonly position: number;
  readonly log: Logger;
}
