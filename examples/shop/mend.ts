// What an operator does about orders that fail for good: look, mend, redrive.
import type { App } from "tidings";

import { patiently } from "./patience.ts";

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

/** The first dead letters, each with what waits behind it. */
export async function listTrouble(app: App, limit: number): Promise<Trouble[]> {
  const { deadLetters } = app.admin;
  const stories = (await deadLetters.list({ limit })).map(({ id }) => deadLetters.show(id));
  return (await Promise.all(stories)).map(({ letter, waiting }) => ({
    subscription: letter.subscription,
    event: letter.record.id,
    type: letter.record.type,
    key: letter.key,
    reason: letter.reason,
    error: letter.failure.message,
    waiting,
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
    await patiently(() => app.settled({ signal }), signal);
  }
  return redriven;
}
