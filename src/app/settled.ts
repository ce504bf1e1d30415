import { TidingsError } from "../errors/tidings-error.ts";
import { collections } from "../delivery/records.ts";
import { readTotals, type Totals } from "../delivery/totals.ts";
import { isComposed } from "../outbox/composed.ts";
import { unsent } from "../outbox/sweep.ts";
import type { Clock } from "../platform/clock.ts";
import type { Engine } from "../ports/engine.ts";

/** How often to look when no hint comes, in milliseconds. */
const lookEveryMs = 100;

/** Resolves when nothing is pending anywhere in the store. Throws TIDINGS_NOT_SETTLED after `timeoutMs`, with what is outstanding. */
export async function settledWithin(
  engine: Engine,
  clock: Clock,
  options: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
): Promise<Totals> {
  const until = options.timeoutMs === undefined ? Number.POSITIVE_INFINITY : clock.monotonic() + options.timeoutMs;
  let before = "";
  for (;;) {
    options.signal?.throwIfAborted();
    // First: what is sent by now stands in the totals.
    const waiting = isComposed(engine) ? await unsent(engine.store) : 0;
    const totals = await readTotals(engine, clock.now());
    const open = totals.subscriptions.filter(({ pending, heldRetrying }) => pending > 0 || heldRetrying > 0);
    // Reading is not one snapshot: what looks settled twice in a row is.
    const now = JSON.stringify([totals.published, totals.subscriptions.map(({ handled, held }) => [handled, held])]);
    const isAtRest = open.length === 0 && waiting === 0;
    if (isAtRest && now === before) return totals;
    before = isAtRest ? now : "";
    if (clock.monotonic() >= until) throw notSettled(open, waiting);
    if (!isAtRest) await changeOrTime(engine, clock);
  }
}

function notSettled(open: Totals["subscriptions"], waiting: number): TidingsError {
  const lines = open.map(
    ({ subscription, pending, heldRetrying }) =>
      `${subscription}: ${pending} pending, ${heldRetrying} keys waiting for a retry`,
  );
  if (waiting > 0) lines.push(`outbox: ${waiting} not sent to the broker`);
  return new TidingsError("TIDINGS_NOT_SETTLED", `The application did not come to rest in time. ${lines.join("; ")}.`);
}

function changeOrTime(engine: Engine, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(lookEveryMs, done);
    // At most every 20 ms, however much is committed.
    let unwatch: (() => void) | undefined;
    const cancelQuiet = clock.after(20, () => {
      unwatch = engine.state?.watch(collections.positions, done);
    });
    function done(): void {
      cancel();
      cancelQuiet();
      unwatch?.();
      resolve();
    }
  });
}
