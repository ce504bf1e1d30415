// What goes wrong on purpose. Chance is seeded, so that a run that failed can be repeated.
import { type Middleware, TerminalError } from "tidings";

import { OrderPlaced } from "./events.ts";
import { chanceOf } from "./random.ts";
import { orders } from "./services/orders.ts";

/** The ladder of the shop lets an event fail oftener than this, so that every event gets through in the end. */
const failuresMax = 3;

/** A failure that the next try may not meet: a time-out, a connection that broke. */
export class PlantedError extends Error {
  override readonly name = "PlantedError";
}

export interface FaultOptions {
  /** Share of the tries that fail. */
  readonly rate: number;
  readonly seed: number;
  /** Orders that the order book cannot take, until it is mended. */
  readonly poisoned: ReadonlySet<string>;
}

export class Faults {
  readonly #options: FaultOptions;
  /** How often each of the failing ones has failed. */
  readonly #failed = new Map<string, number>();
  #mended = false;

  constructor(options: FaultOptions) {
    this.#options = options;
  }

  /** Takes the fault out of the order book: the new version of the code has been deployed. */
  mend(): void {
    this.#mended = true;
  }

  /** Stands around every handler of every service. */
  readonly middleware: Middleware = async (event, ctx, next) => {
    const { rate, seed, poisoned } = this.#options;
    const [service = ""] = ctx.subscription.split("/");
    if (!this.#mended && poisoned.size > 0 && service === orders.name && event.type === OrderPlaced.type) {
      const { orderId } = event.data as { orderId: string };
      if (poisoned.has(orderId)) throw new TerminalError(`The order book cannot take the order ${orderId}.`);
    }
    const what = `${seed}/${service}/${event.source}/${event.id}`;
    const planned = plannedFailures(what, rate);
    // A restarted process has forgotten what failed, a redriven event has its tries anew: each knows what the other lost.
    const failed = Math.max(ctx.attempt - 1, this.#failed.get(what) ?? 0);
    if (failed >= planned) return next();
    this.#failed.set(what, failed + 1);
    // Half of them fail when the work is done: nothing of it may be left behind.
    const late = chanceOf(`${what}/late/${failed}`) < 0.5;
    if (late) await next();
    throw new PlantedError(`Planted failure ${failed + 1} of ${planned}, ${late ? "after" : "before"} the work.`);
  };
}

/** How often the handling of this event fails before it succeeds. */
export function plannedFailures(what: string, rate: number): number {
  let failures = 0;
  while (failures < failuresMax && chanceOf(`${what}/${failures + 1}`) < rate) failures++;
  return failures;
}

/** The orders that are poisoned: a choice that every process makes alike. */
export function choosePoisoned(orderIds: readonly string[], count: number, seed: number): ReadonlySet<string> {
  const drawn = orderIds.map((orderId) => ({ orderId, lot: chanceOf(`${seed}/poison/${orderId}`) }));
  return new Set(
    drawn
      .sort((a, b) => a.lot - b.lot)
      .slice(0, count)
      .map(({ orderId }) => orderId),
  );
}
