// Publishers as the peers all get them: so many loops, each waiting for its acknowledgement before it goes on.
import { type Order, orderOf } from "./payload.ts";

export interface Flow {
  /** Number of the first order. */
  readonly from: number;
  readonly events: number;
  readonly inFlight: number;
  readonly keys: number;
}

/** Publishes `events` orders one at a time with `inFlight` unacknowledged; resolves when all are acknowledged. */
export async function publishAll(publish: (order: Order) => Promise<unknown>, flow: Flow): Promise<void> {
  let next = flow.from;
  const end = flow.from + flow.events;
  const loop = async (): Promise<void> => {
    while (next < end) await publish(orderOf(next++, flow.keys));
  };
  await Promise.all(Array.from({ length: flow.inFlight }, loop));
}

/** The same by calls that publish `batch` orders each, `inFlight` of them unacknowledged. */
export async function publishBatches(
  publishMany: (orders: readonly Order[]) => Promise<unknown>,
  { from, events, inFlight, keys, batch }: Flow & { readonly batch: number },
): Promise<void> {
  let next = from;
  const end = from + events;
  const loop = async (): Promise<void> => {
    while (next < end) {
      const first = next;
      next = Math.min(end, first + batch);
      await publishMany(Array.from({ length: next - first }, (_, i) => orderOf(first + i, keys)));
    }
  };
  await Promise.all(Array.from({ length: inFlight }, loop));
}

/** Counts handled events; `reached` resolves when there are so many. */
export function counter(): { count: number; add(): void; reached(count: number): Promise<void> } {
  let wanted = Number.POSITIVE_INFINITY;
  let resolveWanted = (): void => undefined;
  const self = {
    count: 0,
    add() {
      if (++self.count === wanted) resolveWanted();
    },
    reached(count: number) {
      if (self.count >= count) return Promise.resolve();
      wanted = count;
      return new Promise<void>((resolve) => (resolveWanted = resolve));
    },
  };
  return self;
}
