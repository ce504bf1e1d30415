// What an operator does about orders that fail for good: look, mend, redrive.
import type { App } from "tidings";

/** A dead letter and what waits behind it. */
export interface Trouble {
  readonly subscription: string;
  readonly event: string;
  readonly type: string;
  readonly key: string | null;
  readonly reason: string;
  readonly error: string;
  /** Later events of the key that wait for it, in order. */
  readonly waiting: number;
}

/** The dead letters, each with the events that wait behind it. */
export async function listTrouble(app: App): Promise<Trouble[]> {
  const heldKeys = await app.admin.heldKeys.list({});
  const deadLetters = await app.admin.deadLetters.list({});
  return deadLetters.map(({ id, subscription, key, reason, failure, record }) => ({
    subscription,
    event: record.id,
    type: record.type,
    key,
    reason,
    error: failure.message,
    // The head of the held key is the dead letter itself.
    waiting: Math.max(0, (heldKeys.find(({ deadLetter }) => deadLetter === id)?.events ?? 1) - 1),
  }));
}

/**
 * Sends every dead letter back to the subscription that failed, until none is left. A redrive is a try like any other: with
 * `--fail` it may fail once more, and be sent back once more.
 */
export async function redriveAll(app: App, signal: AbortSignal): Promise<number> {
  let redriven = 0;
  for (let round = 1; round <= 10; round++) {
    const subscriptions = new Set((await app.admin.deadLetters.list({})).map(({ subscription }) => subscription));
    if (subscriptions.size === 0) break;
    for (const subscription of subscriptions) {
      redriven += (await app.admin.deadLetters.redrive({ subscription })).redriven;
    }
    await app.settled({ signal });
  }
  return redriven;
}
