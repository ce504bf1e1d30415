import { messageOf } from "../event/validate.ts";
import type { Logger } from "../delivery/log.ts";
import { collections, type ControlDocument, type Intent, type SubscriptionDocument } from "../delivery/records.ts";
import type { Subscription } from "../delivery/subscription.ts";
import type { CancelTimer, Clock } from "../platform/clock.ts";
import type { Engine } from "../ports/engine.ts";

/** How often to look without a hint, in milliseconds. */
const everyMs = 2000;

/**
 * Hears what operators and newer deploys write in the store: pauses, intents, definitions of a higher epoch. One look
 * serves every subscription of the process.
 */
export interface Signals {
  /** Looks now; resolves when everything seen is passed on. */
  look(): Promise<void>;
  start(): void;
  stop(): void;
}

export function createSignals(
  engine: Engine,
  clock: Clock,
  log: Logger,
  subscriptions: () => readonly Subscription[],
): Signals {
  const state = engine.state as NonNullable<Engine["state"]>;
  let cancel: CancelTimer | undefined;
  let unwatch: (() => void)[] = [];
  let looking: Promise<void> | undefined;
  let again = false;
  let stopped = false;

  async function lookOnce(): Promise<void> {
    const mine = new Map(subscriptions().map((subscription) => [subscription.runtime.name, subscription]));
    const names = [...mine.keys()];
    const [controls, definitions, intents] = await Promise.all([
      state.get(collections.controls, names),
      state.get(collections.subscriptions, names),
      state.scan(collections.intents, { limit: 1000 }),
    ]);
    names.forEach((name, i) => {
      const control = controls[i];
      const definition = definitions[i];
      const subscription = mine.get(name) as Subscription;
      subscription.control(control ? (JSON.parse(control.value) as ControlDocument).paused : undefined);
      if (definition) subscription.superseded((JSON.parse(definition.value) as SubscriptionDocument).epoch);
    });
    for (const { value } of intents) {
      const intent = JSON.parse(value) as Intent;
      void mine
        .get(intent.subscription)
        ?.perform(intent)
        .catch((error: unknown) => {
          log.error(
            { subscription: intent.subscription, intent: intent.kind, err: error },
            "an operation could not be performed",
          );
        });
    }
  }

  function look(): Promise<void> {
    if (stopped) return Promise.resolve();
    if (looking) {
      again = true;
      return looking;
    }
    looking = (async () => {
      do {
        again = false;
        await lookOnce().catch((error: unknown) => log.warn({ err: messageOf(error) }, "signals could not be read"));
      } while (again && !stopped);
      looking = undefined;
    })();
    return looking;
  }

  function tick(): void {
    void look();
    cancel = clock.after(everyMs, tick, true);
  }

  return {
    look,
    start() {
      const hint = (): void => void look();
      unwatch = [collections.controls, collections.subscriptions, collections.intents].map((collection) =>
        state.watch(collection, hint),
      );
      cancel = clock.after(everyMs, tick, true);
    },
    stop() {
      stopped = true;
      cancel?.();
      for (const end of unwatch) end();
    },
  };
}
