import { TidingsError } from "../errors/tidings-error.ts";
import type { SubscriptionHealth } from "../app/health.ts";
import { readOutstanding, tableOf } from "./outstanding.ts";
import type { Session, Unrest } from "./session.ts";

/**
 * Resolves when nothing is in flight, ready or due now. What waits for time (retries, backoffs), for an operator (a pause,
 * a dead letter) or for the store to work again does not count. Throws TIDINGS_NOT_SETTLED with a table of what is outstanding.
 */
export async function settle(session: Session): Promise<void> {
  const unrest = await session.idle();
  if (unrest) throw await notSettled(session, () => reasonOf(session, unrest));
  await session.recording.read();
  const { subscriptions } = await session.drive(session.process.app.health());
  // Whoever runs and has nothing to do now waits for time, and so does whoever is in trouble with the store. What is
  // behind it waits with it, also in other subscriptions: after a crash suspects run alone.
  if (subscriptions.some(({ running, status }) => running > 0 || status === "failing")) return;
  const idleWithLag = subscriptions.filter(({ lag, status }) => lag > 0 && status !== "paused");
  if (idleWithLag.length > 0) throw await notSettled(session, () => lagText(idleWithLag));
}

function lagText(subscriptions: readonly SubscriptionHealth[]): string {
  const names = subscriptions.map(({ subscription, lag }) => `${subscription} (${lag})`).join(", ");
  return `events are pending and nothing works on them: ${names}.`;
}

function reasonOf({ options, recording }: Session, unrest: Unrest): string {
  if (unrest.kind === "handlers") {
    const handlers = unrest.count === 1 ? "a handler has not" : `${unrest.count} handlers have not`;
    return `${handlers} ended within ${options.handlerTimeoutMs} ms of real time. One that waits for virtual time needs kit.advance(); one that is slow for a reason needs testApp({ handlerTimeoutMs }).`;
  }
  const last = [
    ...new Set(
      recording
        .all()
        .slice(-50)
        .map(({ event }) => event.type),
    ),
  ].join(", ");
  const hint = last === "" ? "" : ` Do handlers answer each other? The last events were ${last}.`;
  return `after ${options.turnsMax} turns of the event loop there is still something to do, with no time passing.${hint}`;
}

async function notSettled(session: Session, reason: () => string): Promise<TidingsError> {
  await session.recording.read().catch(() => undefined);
  const rows = await readOutstanding(session.observer, session.process.handlers.running());
  const table = tableOf(rows);
  return new TidingsError(
    "TIDINGS_NOT_SETTLED",
    `The application did not come to rest: ${reason()}${table && `\n${table}`}`,
    { details: { outstanding: rows.length } },
  );
}
