import { messageOf } from "../event/validate.ts";
import type { Logger } from "../delivery/log.ts";
import { collections, type ControlDocument, type Intent, type SubscriptionDocument } from "../delivery/records.ts";
import type { Subscription } from "../delivery/subscription.ts";
import type { CancelTimer, Clock } from "../platform/clock.ts";
import type { Engine } from "../ports/engine.ts";
import type { Document, State } from "../ports/state.ts";

/** How often to look without a hint, in milliseconds. */
const everyMs = 2000;

/**
 * Hears what operators and newer deploys write in the store: pauses, intents, definitions of a higher epoch. One look
 * serves every subscription of the process.
 */
export class Signals {
  readonly #state: State;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #subscriptions: ReadonlyMap<string, Subscription>;
  #cancel: CancelTimer | undefined;
  #unwatch: readonly (() => void)[] = [];
  #looking: Promise<void> | undefined;
  /** Something was written since the look under way began. */
  #again = false;
  #stopped = false;

  constructor(engine: Engine, clock: Clock, log: Logger, subscriptions: readonly Subscription[]) {
    this.#state = engine.state as State;
    this.#clock = clock;
    this.#log = log;
    this.#subscriptions = new Map(subscriptions.map((subscription) => [subscription.runtime.name, subscription]));
  }

  start(): void {
    const hint = (): void => void this.look();
    this.#unwatch = [collections.controls, collections.subscriptions, collections.intents].map((collection) =>
      this.#state.watch(collection, hint),
    );
    this.#lookLater();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    for (const end of this.#unwatch) end();
  }

  /** Looks now; resolves when everything seen is passed on. Never rejects. */
  look(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    if (this.#looking) this.#again = true;
    return (this.#looking ??= this.#lookUntilQuiet());
  }

  #lookLater(): void {
    this.#cancel = this.#clock.after(
      everyMs,
      () => {
        void this.look();
        this.#lookLater();
      },
      true,
    );
  }

  async #lookUntilQuiet(): Promise<void> {
    do {
      this.#again = false;
      try {
        await this.#lookOnce();
      } catch (error) {
        this.#log.warn({ err: messageOf(error) }, "signals could not be read");
      }
    } while (this.#again && !this.#stopped);
    this.#looking = undefined;
  }

  async #lookOnce(): Promise<void> {
    const names = [...this.#subscriptions.keys()];
    const marks = [...this.#subscriptions.values()].map((subscription) => subscription.mark());
    const [controls, definitions, intents] = await Promise.all([
      this.#state.get(collections.controls, names),
      this.#state.get(collections.subscriptions, names),
      this.#state.scan(collections.intents, { limit: 1000 }),
    ]);
    for (const [i, subscription] of [...this.#subscriptions.values()].entries())
      passOn(subscription, marks[i] as number, controls[i], definitions[i]);
    for (const { value } of intents) this.#perform(JSON.parse(value) as Intent);
  }

  #perform(intent: Intent): void {
    const { subscription, kind } = intent;
    this.#subscriptions
      .get(subscription)
      ?.perform(intent)
      .catch((error: unknown) => {
        this.#log.error({ subscription, intent: kind, err: error }, "an operation could not be performed");
      });
  }
}

function passOn(
  subscription: Subscription,
  mark: number,
  control: Document | undefined,
  definition: Document | undefined,
): void {
  subscription.control(control && (JSON.parse(control.value) as ControlDocument).paused, mark);
  if (definition) subscription.superseded((JSON.parse(definition.value) as SubscriptionDocument).epoch);
}
