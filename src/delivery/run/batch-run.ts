import type { Event } from "../../event/envelope.ts";
import type { Delivery } from "../lanes/delivery.ts";
import { compose } from "../middleware/middleware.ts";
import type { SubscriptionRuntime } from "../runtime.ts";
import type { BatchHandler, BatchItem } from "../service.ts";
import type { UnitOfWork } from "../unit-of-work.ts";
import { limited, prepare } from "./execute.ts";

/** One event of a batch, on its way through the middlewares to the handler. */
interface Turn {
  readonly delivery: Delivery;
  readonly item: BatchItem<string, never>;
  /** It has come through the middlewares and waits for the handler. */
  arrived: boolean;
  /** Its way through the middlewares, there and back. */
  way: Promise<void>;
  /** Resolves when it has arrived, or when its way has ended before. */
  readonly here: Promise<void>;
  readonly noteHere: () => void;
  /** Ends its wait for the handler. */
  readonly leave: (error: unknown) => void;
}

/**
 * Runs a batch: each event goes through the middlewares by itself, and where they would call its handler all wait for each
 * other. Resolves with what each delivery that failed has failed with; never rejects.
 */
export async function runBatch(
  handler: BatchHandler<string, never>,
  deliveries: readonly Delivery[],
  runtime: SubscriptionRuntime,
): Promise<ReadonlyMap<Delivery, unknown>> {
  const failures = new Map<Delivery, unknown>();
  const turns: Turn[] = [];
  for (const delivery of deliveries) {
    try {
      for (const event of prepare(delivery, runtime)) turns.push(begin(event, delivery, failures, runtime));
    } catch (error) {
      failures.set(delivery, error);
    }
  }
  const [first] = turns;
  if (!first) return failures;
  try {
    await limited(first.delivery, runtime, handleAll(handler, turns, failures, runtime), unitsOf(turns));
  } catch (error) {
    for (const { delivery } of turns) if (!failures.has(delivery)) failures.set(delivery, error);
  }
  return failures;
}

function begin(event: Event, delivery: Delivery, failures: Map<Delivery, unknown>, runtime: SubscriptionRuntime): Turn {
  const unit = delivery.unit as UnitOfWork;
  const here = Promise.withResolvers<void>();
  const handled = Promise.withResolvers<void>();
  // A middleware that does not await next() must not end the process.
  handled.promise.catch(() => undefined);
  const fail = (error: unknown): void => {
    if (!failures.has(delivery)) failures.set(delivery, error);
  };
  const turn: Turn = {
    delivery,
    item: { event: event as Event<string, never>, ctx: unit, fail },
    arrived: false,
    way: Promise.resolve(),
    here: here.promise,
    noteHere: here.resolve,
    leave: (error) => (error === undefined ? handled.resolve() : handled.reject(error)),
  };
  const arrive = (): Promise<void> => {
    turn.arrived = true;
    here.resolve();
    return handled.promise;
  };
  const way = runtime.scope(compose, runtime.middlewares, event, unit, arrive);
  turn.way = way.catch(fail).then(turn.noteHere);
  return turn;
}

async function handleAll(
  handler: BatchHandler<string, never>,
  turns: readonly Turn[],
  failures: ReadonlyMap<Delivery, unknown>,
  runtime: SubscriptionRuntime,
): Promise<void> {
  await Promise.all(turns.map(({ here }) => here));
  const present = turns.filter(({ arrived, delivery }) => arrived && !failures.has(delivery));
  let thrown: { readonly error: unknown } | undefined;
  const [first] = present;
  if (first) {
    const work = async (): Promise<void> => handler(present.map(({ item }) => item));
    await runtime.scope(work).catch((error: unknown) => (thrown = { error }));
  }
  for (const { arrived, delivery, leave } of turns)
    if (arrived) leave(failures.has(delivery) ? failures.get(delivery) : thrown?.error);
  await Promise.all(turns.map(({ way }) => way));
  if (thrown) throw thrown.error as Error;
}

function unitsOf(turns: readonly Turn[]): readonly UnitOfWork[] {
  return [...new Set(turns.map(({ delivery }) => delivery.unit as UnitOfWork))];
}
